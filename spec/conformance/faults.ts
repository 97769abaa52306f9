/** The rules that the second set names, each broken by itself, and the cases that find it. */
import { inflateRawSync } from 'node:zlib'
import type { Fault, ProxiedFrame } from './fault-proxy.ts'

export interface FaultyPeer {
  readonly name: string
  readonly fault: Fault
  readonly tests: readonly ('server' | 'client')[]
  /** What is run: the cases that are about the rule, and some that are not. */
  readonly cases: readonly string[]
  /** Those that find it, and the verdict. */
  readonly found: Readonly<Record<string, readonly string[]>>
}

const BOTH = ['server', 'client'] as const
const isControl = ({ opcode }: ProxiedFrame): boolean => opcode >= 8

function replaceLine(head: string, name: string, line: string): string {
  const others = head.split('\r\n').filter(one => !one.toLowerCase().startsWith(`${name.toLowerCase()}:`) && one !== '')
  return `${[...others, ...(line === '' ? [] : [line])].join('\r\n')}\r\n\r\n`
}

function inflates(payload: Buffer): boolean {
  try {
    inflateRawSync(Buffer.concat([payload, Buffer.from('0000ffff', 'hex')]), { finishFlush: 2 })
    return true
  } catch {
    return false
  }
}

export const FAULTY_PEERS: readonly FaultyPeer[] = [
  {
    name: 'takes frames that are not masked',
    fault: { frame: frame => ({ ...frame, rightlyMasked: true }) },
    tests: ['server'],
    cases: ['20.*', '21.1.1', '22.6.1'],
    found: { FAILED: ['20.1.*'] },
  },
  {
    name: 'takes frames that are masked',
    fault: { frame: frame => ({ ...frame, rightlyMasked: true }) },
    tests: ['client'],
    cases: ['20.*', '21.1.1', '22.6.1'],
    found: { FAILED: ['20.2.*'] },
  },
  {
    name: 'masks on where the last frame ended',
    fault: {
      frame: ({ opcode, payload }, connection) => {
        const turn = opcode < 8 ? connection.count++ : 0
        return { payload: Buffer.from(payload.map(byte => byte ^ turn)) }
      },
    },
    tests: ['server'],
    cases: ['20.3.*'],
    found: { FAILED: ['20.3.3', '20.3.4', '20.3.5'] },
  },
  {
    name: 'ignores the reserved bits of control frames',
    fault: { frame: frame => (isControl(frame) ? { rsv: 0 } : {}) },
    tests: BOTH,
    cases: ['21.*', '29.2.*', '20.1.1', '20.2.1', '23.2.1'].filter(id => !id.startsWith('20')),
    found: { FAILED: ['21.1.*', '21.2.*', '21.3.*', '29.2.3', '29.2.4', '29.2.5'] },
  },
  {
    name: 'ignores the reserved bits of continuations',
    fault: { frame: ({ opcode }) => (opcode === 0 ? { rsv: 0 } : {}) },
    tests: BOTH,
    cases: ['21.*', '29.2.*'],
    found: { FAILED: ['21.4.*', '29.2.1', '29.2.2'] },
  },
  {
    name: 'loses the last byte from 65,536 on',
    fault: { frame: ({ payload }) => (payload.length >= 65_536 ? { payload: payload.subarray(1) } : {}) },
    tests: BOTH,
    cases: ['22.1.*', '22.2.*'],
    found: { FAILED: ['22.1.7', '22.1.8'] },
  },
  {
    name: 'answers pings with 100 bytes at most',
    fault: { frame: ({ opcode, payload }) => (opcode === 9 ? { payload: payload.subarray(0, 100) } : {}) },
    tests: BOTH,
    cases: ['22.1.1', '22.2.*', '23.3.1'],
    found: { FAILED: ['22.2.3', '22.2.4'] },
  },
  {
    name: 'serves nobody after a claim of 2^32',
    fault: {
      frame: ({ length }, connection) => {
        if (length >= 2n ** 32n) connection.stopServing()
        return {}
      },
    },
    tests: ['server'],
    cases: ['22.3.4'],
    found: { FAILED: ['22.3.4'] },
  },
  {
    name: 'ignores the highest bit of a length',
    fault: { frame: ({ length }) => (length >= 2n ** 63n ? { length: length - 2n ** 63n, form: 0 } : {}) },
    tests: BOTH,
    cases: ['22.4.*', '22.3.1'],
    // What is left of the other one is too big.
    found: { FAILED: ['22.4.1', '22.4.2'] },
  },
  {
    name: 'waits for any length',
    fault: { frame: ({ length }) => (length >= 2n ** 31n - 1n ? undefined : {}) },
    tests: BOTH,
    cases: ['22.3.*', '22.4.*', '22.5.*'],
    found: { INFORMATIONAL: ['22.3.*'], 'NON-STRICT': ['22.4.*'], FAILED: ['22.5.2', '22.5.4', '22.5.6'] },
  },
  {
    name: 'cuts control frames that are too long',
    fault: {
      frame: frame => (isControl(frame) && frame.form > 0 ? { payload: frame.payload.subarray(0, 100), form: 0 } : {}),
    },
    tests: BOTH,
    cases: ['22.5.1', '22.5.3', '22.6.9', '22.6.10', '22.6.1'],
    found: { FAILED: ['22.5.1', '22.5.3'], 'NON-STRICT': ['22.6.9', '22.6.10'] },
  },
  {
    name: 'takes lengths in more bytes than needed',
    fault: { frame: () => ({ form: 0 }) },
    tests: BOTH,
    cases: ['22.6.*', '22.1.*', '22.5.1'],
    found: { 'NON-STRICT': ['22.6.*'] },
  },
  {
    name: 'takes fragments that do not belong together',
    fault: {
      frame: ({ opcode, fin }, { inMessage }) => {
        if (opcode === 0 && !inMessage) return undefined
        return inMessage && (opcode === 1 || opcode === 2) ? { opcode: 0, fin } : {}
      },
    },
    tests: BOTH,
    cases: ['23.*'],
    found: { FAILED: ['23.1.*'] },
  },
  {
    name: 'takes control frames in fragments',
    fault: { frame: frame => (isControl(frame) ? { fin: true } : {}) },
    tests: BOTH,
    cases: ['23.*'],
    found: { FAILED: ['23.2.*'] },
  },
  {
    name: 'answers no ping inside of a message',
    fault: { frame: ({ opcode }, { inMessage }) => (opcode === 9 && inMessage ? undefined : {}) },
    tests: BOTH,
    cases: ['23.3.*', '22.2.1'],
    found: { FAILED: ['23.3.1', '23.3.2'] },
  },
  {
    name: 'looks at a close frame when it has read what is behind it',
    fault: {
      frame: ({ opcode }, { peer }) => {
        if (opcode !== 8) return {}
        const isClient = peer.localPort === undefined
        setTimeout(() => peer.writable && peer.write(Buffer.from(isClient ? '8800' : '888000000000', 'hex')), 100)
        return undefined
      },
    },
    tests: ['server'],
    cases: ['24.1.1', '24.1.2'],
    found: { FAILED: ['24.1.1', '24.1.2'] },
  },
  {
    name: 'drops TCP on bytes behind a close frame',
    fault: {
      frame: ({ opcode }, { tester, peer }) => {
        if (opcode !== 8) return {}
        peer.destroy()
        tester.destroy()
        return undefined
      },
    },
    tests: BOTH,
    cases: ['24.1.1', '24.1.4', '24.1.3', '24.2.6'],
    found: { FAILED: ['24.1.1', '24.1.4'], 'NON-STRICT': ['24.1.3', '24.2.6'] },
  },
  {
    name: 'does not notice that TCP has ended',
    fault: { ignoresEnd: true },
    tests: ['server'],
    cases: ['24.2.1', '24.2.2', '24.2.4', '26.4.*', '22.1.1'],
    found: { 'NON-STRICT': ['24.2.1', '24.2.2', '24.2.4', '26.4.*'] },
  },
  ...['24.2.7', '24.2.8', '24.2.9', '24.2.10'].map((id): FaultyPeer => ({
    name: `serves nobody after the reset of ${id}`,
    fault: { diesOfReset: true },
    tests: ['server'],
    cases: [id],
    found: { FAILED: [id] },
  })),
  {
    name: 'takes any close frame',
    fault: { frame: ({ opcode }) => (opcode === 8 ? { payload: Buffer.from([3, 232]) } : {}) },
    tests: BOTH,
    cases: ['24.3.1', '24.3.2', '24.3.3', '24.3.4', '24.1.1'],
    found: { FAILED: ['24.3.1', '24.3.2', '24.3.3'] },
  },
  {
    name: 'has enough of pings after a hundred',
    fault: { frame: ({ opcode }, connection) => (opcode === 9 && connection.count++ >= 100 ? undefined : {}) },
    tests: BOTH,
    cases: ['25.*', '22.2.1'],
    found: { FAILED: ['25.1.3'] },
  },
  {
    name: 'never pongs',
    fault: { frame: ({ opcode }) => (opcode === 9 ? undefined : {}) },
    tests: ['server'],
    cases: ['25.1.*'],
    found: { FAILED: ['25.1.1', '25.1.2', '25.1.3', '25.1.5'] },
  },
  {
    name: 'loses fragments after a thousand',
    fault: {
      frame: ({ opcode, fin }, connection) => (opcode === 0 && !fin && connection.count++ >= 1000 ? undefined : {}),
    },
    tests: BOTH,
    cases: ['25.2.*', '25.3.*'],
    // Nobody can tell that an empty one is lost.
    found: { FAILED: ['25.2.3'] },
  },
  {
    name: 'loses messages after a hundred',
    fault: { frame: ({ opcode }, connection) => (opcode !== 8 && connection.count++ >= 100 ? undefined : {}) },
    tests: ['server'],
    cases: ['25.3.2', '23.3.1'],
    found: { FAILED: ['25.3.2'] },
  },
  {
    name: 'closes after a hundred frames',
    fault: {
      frame: (_, connection) => {
        if (connection.count++ < 100) return {}
        connection.tester.destroy()
        return undefined
      },
    },
    tests: BOTH,
    cases: ['25.*', '23.3.1'],
    found: { INFORMATIONAL: ['25.*'] },
  },
  {
    name: 'takes every packet for a frame',
    fault: { packet: bytes => (bytes.length === 1 ? Buffer.alloc(0) : bytes) },
    tests: ['server'],
    cases: ['26.1.*', '22.1.1'],
    found: { FAILED: ['26.1.1', '26.1.2', '26.1.3', '26.1.4', '26.1.5'], 'NON-STRICT': ['26.1.6'] },
  },
  {
    name: 'loses what comes with the request',
    fault: { losesEarly: true },
    tests: ['server'],
    cases: ['26.2.1', '26.2.2', '26.2.5', '26.2.6', '22.1.1'],
    found: { FAILED: ['26.2.1', '26.2.2', '26.2.5', '26.2.6'] },
  },
  {
    name: 'loses what comes with the answer',
    fault: { losesEarly: true },
    tests: ['client'],
    cases: ['26.3.1', '26.3.2', '26.3.5', '26.3.6', '28.1.8'],
    found: { FAILED: ['26.3.1', '26.3.2', '26.3.5', '26.3.6'] },
  },
  {
    name: 'takes any method and version of HTTP',
    fault: { head: head => head.replace(/^\w+ (\S+) HTTP\/1\.\d/, 'GET $1 HTTP/1.1') },
    tests: ['server'],
    cases: ['27.1.*'],
    found: { FAILED: ['27.1.1', '27.1.2', '27.1.3', '27.1.4', '27.1.5'] },
  },
  {
    name: 'takes any Host',
    fault: { head: head => replaceLine(head, 'Host', 'Host: localhost') },
    tests: ['server'],
    cases: ['27.1.*'],
    found: { FAILED: ['27.1.6', '27.1.7'] },
  },
  {
    name: 'takes any Upgrade',
    fault: { head: head => replaceLine(head, 'Upgrade', 'Upgrade: websocket') },
    tests: ['server'],
    cases: ['27.1.*'],
    found: { FAILED: ['27.1.8', '27.1.9', '27.1.10'] },
  },
  {
    name: 'takes any Connection',
    fault: { head: head => replaceLine(head, 'Connection', 'Connection: Upgrade') },
    tests: ['server'],
    cases: ['27.1.*'],
    found: { FAILED: ['27.1.11', '27.1.12', '27.1.13'] },
  },
  {
    name: 'takes any key',
    fault: {
      head: head => {
        const keys = head.match(/^Sec-WebSocket-Key: .*$/gm) ?? []
        const isGood = keys.length === 1 && /: [\w+/]{22}==$/.test(keys[0])
        return isGood ? head : replaceLine(head, 'Sec-WebSocket-Key', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')
      },
    },
    tests: ['server'],
    cases: ['27.1.14', '27.1.15', '27.1.16', '27.1.17', '27.1.18', '27.1.19', '27.1.20', '27.1.21'],
    found: { FAILED: ['27.1.14', '27.1.15', '27.1.16', '27.1.17', '27.1.18', '27.1.19', '27.1.20', '27.1.21'] },
  },
  {
    name: 'takes any version',
    fault: { head: head => replaceLine(head, 'Sec-WebSocket-Version', 'Sec-WebSocket-Version: 13') },
    tests: ['server'],
    cases: ['27.1.*'],
    found: {
      FAILED: ['27.1.22', '27.1.23', '27.1.24', '27.1.26', '27.1.27', '27.1.28', '27.1.29', '27.1.30', '27.1.31'],
      INFORMATIONAL: ['27.1.25'],
    },
  },
  {
    name: 'does not tell its versions',
    fault: { reply: head => (/ 101 /.test(head) ? head : replaceLine(head, 'Sec-WebSocket-Version', '')) },
    tests: ['server'],
    cases: ['27.1.*'],
    found: { 'NON-STRICT': ['27.1.25', '27.1.26', '27.1.27', '27.1.28', '27.1.29'] },
  },
  {
    name: 'overlooks headers that are none',
    fault: {
      head: head =>
        head.replace(/\r\n(?:X-Header|: value|X Header)[^\n]*(?=\r\n)/g, '').replace('Upgrade :', 'Upgrade:'),
    },
    tests: ['server'],
    cases: ['27.2.1', '27.2.2', '27.2.4', '27.2.5', '27.2.6', '27.3.1'],
    found: { FAILED: ['27.2.1', '27.2.2', '27.2.4', '27.2.5', '27.2.6'] },
  },
  {
    name: 'ignores extensions that are none',
    fault: { head: head => replaceLine(head, 'Sec-WebSocket-Extensions', '') },
    tests: ['server'],
    cases: ['27.2.1', '27.2.19', '27.2.20', '27.2.21', '27.2.22', '27.2.23', '27.3.1'],
    found: { 'NON-STRICT': ['27.2.19', '27.2.20', '27.2.21', '27.2.22', '27.2.23'] },
  },
  {
    name: 'knows headers by their usual spelling only',
    fault: {
      head: head =>
        /\r\nUpgrade: websocket\r\n/.test(head) && /\r\nConnection: Upgrade\r\n/.test(head)
          ? head
          : head.replace(/websocket/i, 'none'),
    },
    tests: ['server'],
    cases: [
      '27.3.1',
      '27.3.2',
      '27.3.3',
      '27.3.4',
      '27.3.5',
      '27.3.6',
      '27.3.8',
      '27.3.10',
      '27.3.11',
      '27.3.12',
      '27.3.13',
      '27.3.14',
    ],
    found: { FAILED: ['27.3.1', '27.3.2', '27.3.3', '27.3.4', '27.3.5', '27.3.6', '27.3.10', '27.3.11', '27.3.12'] },
  },
  {
    name: 'takes any status',
    fault: { head: head => head.replace(/^.*\r\n(?:Content-Length: 0\r\n)?/, 'HTTP/1.1 101 Switching Protocols\r\n') },
    tests: ['client'],
    cases: ['28.1.*', '28.3.1'],
    found: { FAILED: ['28.1.1', '28.1.2', '28.1.3', '28.1.4', '28.1.5', '28.1.7'], INFORMATIONAL: ['28.1.6'] },
  },
  {
    name: 'takes any answer in Upgrade',
    fault: { head: head => replaceLine(head, 'Upgrade', 'Upgrade: websocket') },
    tests: ['client'],
    cases: ['28.1.*'],
    found: { FAILED: ['28.1.8', '28.1.9', '28.1.10'] },
  },
  {
    name: 'takes any answer in Connection',
    fault: { head: head => replaceLine(head, 'Connection', 'Connection: Upgrade') },
    tests: ['client'],
    cases: ['28.1.*'],
    found: { FAILED: ['28.1.11', '28.1.12'] },
  },
  {
    name: 'takes any subprotocol',
    fault: { head: head => replaceLine(head, 'Sec-WebSocket-Protocol', '') },
    tests: ['client'],
    cases: ['28.1.*'],
    found: { FAILED: ['28.1.20'], INFORMATIONAL: ['28.1.21'] },
  },
  {
    name: 'takes any extension',
    fault: { head: head => replaceLine(head, 'Sec-WebSocket-Extensions', '') },
    tests: ['client'],
    cases: ['28.1.*', '30.3.*'],
    found: { FAILED: ['28.1.22', '28.1.23', '28.1.24', '30.3.*'] },
  },
  {
    name: 'overlooks headers of an answer that are none',
    fault: { head: head => head.replace(/\r\nX-Header[^\n]*(?=\r\n)/g, '').replace('Upgrade :', 'Upgrade:') },
    tests: ['client'],
    cases: ['28.2.1', '28.2.2', '28.2.3', '28.2.4', '28.3.1'],
    found: { INFORMATIONAL: ['28.2.1', '28.2.2', '28.2.3', '28.2.4'] },
  },
  {
    name: 'knows no status before the last one',
    fault: { head: head => head.replace(/^HTTP\/1\.1 10[03].*/, 'HTTP/1.1 500 No\r\nContent-Length: 0') },
    tests: ['client'],
    cases: ['28.3.*'],
    found: { 'NON-STRICT': ['28.3.11', '28.3.12'] },
  },
  {
    name: 'loses compressed messages in final blocks',
    fault: { frame: ({ rsv, payload }) => (rsv === 4 && (payload[0] & 1) === 1 ? undefined : {}) },
    tests: BOTH,
    cases: ['29.1.*'],
    found: { FAILED: ['29.1.4', '29.1.7'] },
  },
  {
    name: 'takes what is no DEFLATE data as it is',
    fault: { frame: ({ rsv, payload }) => (rsv === 4 && !inflates(payload) ? { rsv: 0 } : {}) },
    tests: BOTH,
    cases: ['29.3.*', '29.1.1'],
    found: { FAILED: ['29.3.*'] },
  },
  {
    name: 'does not look at text that was compressed',
    fault: {
      frame: ({ opcode, rsv, fin, payload }) =>
        rsv === 4 && opcode === 1 && (!fin || payload.length < 10) ? { opcode: 2 } : {},
    },
    tests: BOTH,
    cases: ['29.4.*'],
    found: { FAILED: ['29.4.*'] },
  },
  {
    name: 'serves nobody after a bomb',
    fault: {
      frame: ({ payload }, connection) => {
        if (payload.length > 100_000) connection.stopServing()
        return {}
      },
    },
    tests: ['server'],
    cases: ['29.5.1'],
    found: { FAILED: ['29.5.1'] },
  },
  {
    name: 'agrees to any offer',
    fault: {
      head: head => {
        const isOffered = head.includes('permessage-deflate')
        return replaceLine(
          head,
          'Sec-WebSocket-Extensions',
          isOffered ? 'Sec-WebSocket-Extensions: permessage-deflate' : ''
        )
      },
    },
    tests: ['server'],
    cases: ['30.1.*', '30.2.1'],
    found: { FAILED: ['30.1.*'] },
  },
  {
    name: 'refuses offers that it does not know',
    fault: {
      head: head =>
        /x_none|=|x-none/.test(head.split('permessage-deflate')[1] ?? '') ? head.replace('websocket', 'none') : head,
    },
    tests: ['server'],
    cases: ['30.1.1', '30.1.2', '30.2.1', '30.2.4'],
    found: { 'NON-STRICT': ['30.1.1', '30.1.2', '30.2.1'] },
  },
  {
    name: 'has no compression',
    fault: { head: head => replaceLine(head, 'Sec-WebSocket-Extensions', '') },
    tests: ['server'],
    cases: ['29.1.*', '30.2.1', '22.1.1'],
    found: { UNIMPLEMENTED: ['29.1.*', '30.2.1'] },
  },
]
