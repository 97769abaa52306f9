import t, { type Test } from 'tap'
import { VIOLATIONS, type ViolationName } from '../lib/protocol/violation.ts'
import { DOORS, dialled, MESSAGE_BYTES, type Door, type Entrance } from './helpers/doors.ts'
import { Takeover } from './helpers/deflated.ts'
import { bytes, closeFrame, frame, masked } from './helpers/frames.ts'
import { Journal, turn, within } from './helpers/journal.ts'
import { CLIENT_KEY, handshakeText, type HandshakeParts } from './helpers/raw-client.ts'
import type { WireClient } from './helpers/wire-client.ts'

/** What a behaviour is tried with. */
interface Visit {
  readonly t: Test
  readonly door: Door
  readonly entrance: Entrance
  /** What the app has heard: `text a`, `binary 3`, `close 1000` (`close` where the door tells no codes). */
  readonly heard: Journal
  /** A client with its handshake done. */
  client(parts?: HandshakeParts): Promise<WireClient>
  /** A client with nothing done. */
  stranger(): Promise<WireClient>
  /** The line of an end with this code. */
  ended(code: number): string
}

const [TEXT, BINARY, PING, PONG] = ['81', '82', '89', '8a']
/** RFC 6455, section 1.3, for the key of its example. */
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

/** Around every border of a length field, of what is copied or not, and of the slabs that frames are written in. */
const SIZES = [0, 1, 124, 125, 126, 127, 4095, 4096, 4097, 16_383, 16_384, 65_525, 65_526, 65_535, 65_536, 65_537, 131_072, MESSAGE_BYTES]

const noise = (length: number): Buffer => Buffer.from(new Uint8Array(length).map((_, i) => i * 7 + (i >> 8)).buffer)
const letters = (length: number): Buffer => Buffer.alloc(length, 'abcdefghij klm')

/** The client is told of the end: a close frame with `code`, then the end of the transport. */
async function endsWith(t: Test, client: WireClient, code: number, reason = ''): Promise<void> {
  await client.journal.until('end')
  t.strictSame(client.journal.lines.slice(-2), [`close ${code} ${reason}`.trimEnd(), 'end'])
}

/** A handshake that offers compression as well. */
function offering(parts: HandshakeParts = {}): HandshakeParts {
  return { ...parts, headers: { ...parts.headers, 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' } }
}

const BEHAVIOURS: Readonly<Record<string, (visit: Visit) => Promise<void>>> = {
  async 'the handshake is answered as RFC 6455 says'({ t, stranger }) {
    const client = await stranger()
    const { status, headers, head } = await client.handshake()
    t.equal(status, 101)
    t.match(headers, { upgrade: /^websocket$/i, connection: /^upgrade$/i, 'sec-websocket-accept': ACCEPT })
    t.equal(head.filter(line => /^sec-websocket-/i.test(line)).length, 1, 'and no protocol or extension comes unasked')
  },

  async 'text and binary of every size come back as they were'({ t, client }) {
    const connected = await client()
    for (const size of SIZES) {
      for (const [first, payload] of [[TEXT, letters(size)], [BINARY, noise(size)]] as const) {
        const count = connected.frames.length
        connected.send(frame(first, payload))
        const answer = (await connected.received(count + 1))[count]
        t.equal(answer.first, parseInt(first, 16), `${first}, ${size} bytes`)
        t.ok(answer.payload.equals(payload), `${first}, ${size} bytes`)
      }
    }
  },

  async 'many messages at once come back in order'({ t, client, heard }) {
    const connected = await client()
    const all = Array.from({ length: 2000 }, (_, i) => `${i}`)
    connected.send(...all.map(each => frame(TEXT, each)))
    t.strictSame(await connected.lines(2000), all.map(each => `text ${each}`))
    t.strictSame(heard.lines, all.map(each => `text ${each}`))
  },

  async 'text is UTF-8, whole or cut between any two bytes'({ t, client }) {
    const connected = await client()
    const text = 'κόσμε 🌍 ü'
    connected.send(frame(TEXT, text))
    const data = Buffer.from(text)
    for (let cut = 0; cut <= data.length; cut++) connected.send(frame('01', data.subarray(0, cut)), frame('80', data.subarray(cut)))
    t.strictSame(await connected.lines(data.length + 2), Array.from({ length: data.length + 2 }, () => `text ${text}`))
  },

  async 'fragments are one message, with pings between them answered at once'({ t, client, heard }) {
    const connected = await client()
    connected.send(frame('01', 'a'), frame('00', ''), frame(PING, 'p'), frame('00', 'b'), frame(PONG, 'q'), frame('80', 'c'))
    connected.send(frame('02', noise(70_000)), frame('80', noise(70_000)))
    t.strictSame(await connected.lines(3), ['pong 70', 'text abc', 'binary of 140000 bytes'])
    t.strictSame(heard.lines, ['text abc', 'binary 140000'])
  },

  async 'input one byte at a time'({ t, stranger }) {
    const client = await stranger()
    const answer = client.answer()
    const request = `GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${CLIENT_KEY}\r\n\r\n`
    const frames = [frame(TEXT, 'grün'), frame('02', 'a'), frame(PING, 'p'), frame('80', 'b'), frame(BINARY, noise(126)), closeFrame(1000)]
    const input = Buffer.concat([Buffer.from(request), ...frames.map(each => bytes(masked(each)))])
    for (const byte of input) {
      client.socket.write(Buffer.from([byte]))
      await turn()
    }
    t.equal((await answer).status, 101)
    await client.journal.until('end')
    t.strictSame(client.journal.lines, ['text grün', 'pong 70', 'binary 6162', `binary ${noise(126).toString('hex')}`, 'close 1000', 'end'])
  },

  async 'what comes in one packet with the handshake is not lost'({ t, stranger, heard }) {
    for (const cut of [0, 1, 3, 8]) {
      const client = await stranger()
      const second = masked(frame(TEXT, 'second'))
      const { status } = await client.handshake({}, masked(frame(TEXT, 'first')) + second.slice(0, 2 * cut))
      t.equal(status, 101)
      client.sendRaw(second.slice(2 * cut))
      t.strictSame(await client.lines(2), ['text first', 'text second'], `${cut} bytes of the second`)
    }
    t.equal(heard.lines.length, 8)
  },

  async 'pings are answered with what they carry'({ t, client }) {
    const connected = await client()
    connected.send(frame(PING), frame(PING, noise(125)), frame(PONG, 'nobody asked'))
    t.strictSame(await connected.lines(2), ['pong', `pong ${noise(125).toString('hex')}`])
  },

  async 'the close frame is echoed, then the server ends the connection'({ t, client, heard, ended }) {
    for (const code of [1000, 1001, 1003, 1014, 3000, 4999]) {
      const connected = await client()
      connected.send(closeFrame(code, 'bye'), frame(TEXT, 'too late'))
      await endsWith(t, connected, code, 'bye')
      await heard.until(ended(code))
    }
    const silent = await client()
    silent.send('8800')
    await silent.journal.until('end')
    t.strictSame(silent.journal.lines, ['close', 'end'], 'without a code')
    await heard.until(ended(1005))
    t.equal(heard.lines.length, 7)
  },

  async 'a violation is answered with its code, and nothing is heard after it'({ t, door, client, heard, ended, entrance }) {
    const cases: (readonly [name: ViolationName, wire: string])[] = [
      ['unmasked-frame', frame(TEXT, 'a')],
      ['reserved-bits', masked(frame('a1', 'a'))],
      ['reserved-bits', masked(frame('c9', 'a'))],
      ...(door.compression === undefined ? [['reserved-bits', masked(frame('c1', 'a'))] as const] : []),
      ['reserved-opcode', masked('8300')],
      ['fragmented-control', masked('0900')],
      ['long-control', masked(frame(PING, noise(126)))],
      ['unexpected-continuation', masked(frame('80', 'a'))],
      ['expected-continuation', masked(frame('01', 'a')) + masked(frame(TEXT, 'b'))],
      ['length-not-minimal', '82fe0001000000000a'],
      ['invalid-utf8', masked(frame(TEXT, bytes('cea0 c3')))],
      ['invalid-utf8', masked(frame('01', bytes('ff')))],
      ['message-too-big', masked(frame(BINARY, noise(MESSAGE_BYTES + 1)))],
      ['message-too-big', masked(frame('02', noise(MESSAGE_BYTES))) + masked(frame('80', 'a'))],
      ['close-code', masked(closeFrame(1005))],
      ['close-payload-size', masked(frame('88', 'a'))],
      ['close-reason-utf8', masked(frame('88', bytes('03e8 ff')))],
    ]
    for (const [i, [name, wire]] of cases.entries()) {
      const [code, sentence] = VIOLATIONS[name]
      const connected = await client()
      connected.sendRaw(wire + masked(frame(TEXT, 'later')))
      await endsWith(t, connected, code, sentence)
      await heard.reach(i + 1)
      t.strictSame(heard.lines[i], ended(code), name)
    }
    const other = await client()
    other.send(frame(TEXT, 'still served'))
    t.strictSame(await other.lines(1), ['text still served'])
    entrance.broadcast('and reached')
    t.strictSame((await other.lines(2))[1], 'text and reached')
  },

  async 'a subprotocol is agreed on where the client offers it'({ t, stranger }) {
    for (const [offered, agreed] of [
      ['chat', 'chat'],
      ['other, chat', 'chat'],
      ['other', undefined],
    ] as const) {
      const client = await stranger()
      const { status, headers } = await client.handshake({ headers: { 'sec-websocket-protocol': offered } })
      t.strictSame([status, headers['sec-websocket-protocol']], [101, agreed], offered)
    }
  },

  async 'compression is used where it was agreed on, and only there'({ t, door, client, heard }) {
    const connected = await client(offering())
    for (let i = 1; i <= 3; i++) {
      connected.send(frame(TEXT, letters(5000)))
      await connected.received(i)
      t.ok(connected.frames[i - 1].payload.equals(letters(5000)))
    }
    t.equal(connected.compressed, door.compression === undefined ? 0 : 3)
    t.strictSame(heard.lines.length, 3)
  },

  async 'an extension is not agreed on'({ t, stranger }) {
    const client = await stranger()
    const { headers } = await client.handshake({ headers: { 'sec-websocket-extensions': 'x-unknown; a=1' } })
    t.equal(headers['sec-websocket-extensions'], undefined)
  },

  async 'handshakes are refused with a status and a sentence, and the connection ends'({ t, stranger, heard }) {
    const cases: [headers: Record<string, string | null>, status: number, body: RegExp][] = [
      [{ 'x-refuse': '401' }, 401, /^Not today\.\n$/],
      [{ 'x-refuse': '503' }, 503, /^Not today\.\n$/],
      [{ 'sec-websocket-version': '12' }, 426, /13/],
      [{ 'sec-websocket-key': 'c2hvcnQ=' }, 400, /Sec-WebSocket-Key/],
      [{ 'sec-websocket-key': null }, 400, /Sec-WebSocket-Key/],
      [{ origin: 'https://elsewhere.example' }, 403, /origin/],
    ]
    for (const [headers, status, body] of cases) {
      const client = await stranger()
      const answer = await client.handshake({ headers }, masked(frame(TEXT, 'early')))
      t.equal(answer.status, status, JSON.stringify(headers))
      t.match(answer.body, body)
      await client.journal.until('end')
    }
    t.strictSame(heard.lines, [])
  },

  async 'a broadcast reaches every client'({ t, client, entrance }) {
    const clients = [await client(), await client()]
    for (const each of clients) {
      each.send(frame(TEXT, 'here'))
      await each.lines(1)
    }
    for (const text of ['one', 'two']) entrance.broadcast(text)
    for (const each of clients) t.strictSame(await each.lines(3), ['text here', 'text one', 'text two'])
  },

  async 'the end of a client without a closing handshake is noticed, once'({ t, client, heard, ended }) {
    const connected = await client()
    connected.send(frame(TEXT, 'a'), frame('01', 'half a message'))
    await connected.lines(1)
    connected.socket.end()
    await connected.journal.until('closed')
    t.strictSame(connected.journal.lines, ['text a', 'end', 'closed'])
    await heard.reach(2)
    await turn()
    t.strictSame(heard.lines, ['text a', ended(1006)])
  },

  async 'a request of 16 KiB is taken, one of a byte more is 431, at the same byte everywhere'({ t, stranger, heard }) {
    const size = handshakeText({ headers: { 'x-more': '' } }).length
    for (const [more, status] of [[0, 101], [1, 431], [30_000, 431]] as const) {
      const client = await stranger()
      const answer = await client.handshake({ headers: { 'x-more': 'x'.repeat(16 * 1024 - size + more) } })
      t.equal(answer.status, status, `${more}`)
      client.socket.destroy()
    }
    t.notOk(heard.lines.some(line => line.startsWith('text')))
  },

  async 'a flood of pings ends with 1008, and nobody else notices'({ t, client, heard, ended }) {
    const [loud, other] = [await client(), await client()]
    loud.send(...Array.from({ length: 1001 }, () => frame(PING)))
    await loud.journal.until('end')
    t.match(loud.journal.lines.slice(-2), ['close 1008 more pings and pongs a second than the limit', 'end'])
    other.send(frame(TEXT, 'here'))
    t.strictSame(await other.lines(1), ['text here'])
    await heard.until(ended(1008))
  },

  async 'shut down: every client gets 1001, and it is done when all are gone'({ t, client, entrance, heard, ended }) {
    const clients = [await client(), await client()]
    let done = false
    const shutDown = entrance.shutDown().then(() => {
      done = true
    })
    for (const each of clients) await each.journal.until('close 1001')
    t.equal(done, false)
    for (const each of clients) {
      each.send(frame(TEXT, 'last words'), closeFrame(1001))
      await each.journal.until('end')
      each.socket.end()
    }
    await within(shutDown, 'the end')
    t.strictSame([...heard.lines].sort(), [ended(1001), ended(1001), 'text last words', 'text last words'])
  },
}

for (const door of DOORS) {
  for (const [name, behaviour] of Object.entries(BEHAVIOURS)) {
    t.test(`${door.name}: ${name}`, async t => {
      const heard = new Journal()
      const entrance = await door.open(t, {
        message: data => heard.add(typeof data === 'string' ? `text ${data}` : `binary ${data.length}`),
        close: code => heard.add(code === undefined ? 'close' : `close ${code}`),
      })
      const stranger = (): Promise<WireClient> => dialled(t, entrance)
      const client = async (parts?: HandshakeParts): Promise<WireClient> => {
        const dialledClient = await stranger()
        const { status, headers, body } = await dialledClient.handshake(door.compression === undefined ? parts : offering(parts))
        if (status !== 101) throw new Error(`refused with ${status}: ${body}`)
        if (headers['sec-websocket-extensions'] !== undefined) dialledClient.inflater = new Takeover()
        return dialledClient
      }
      const ended = (code: number): string => (door.tellsCodes ? `close ${code}` : 'close')
      await behaviour({ t, door, entrance, heard, client, stranger, ended })
    })
  }
}
