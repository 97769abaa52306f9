import t from 'tap'
import type { Role } from '../../../lib/protocol/frame-parser.ts'
import type { EndpointOptions } from '../../../lib/protocol/endpoint.ts'
import { VIOLATIONS, type ViolationName } from '../../../lib/protocol/violation.ts'
import { deflated, compressionOf } from '../../helpers/agreed.ts'
import { FakeCompression } from '../../helpers/fake-codec.ts'
import { bytes, closeFrame, frame } from '../../helpers/frames.ts'
import { asSentBy, asSentTo, Observed, ROLES, WAYS } from '../../helpers/observed.ts'

const [TEXT, BINARY, PING, PONG] = ['81', '82', '89', '8a']
const [TEXT_BEGIN, BINARY_BEGIN, MIDDLE, END] = ['01', '02', '00', '80']
const GOODBYE = closeFrame(1000)

function streamed(role: Role, options: Omit<EndpointOptions, 'role'> = {}): Observed {
  const observed = new Observed(role, options)
  observed.endpoint.streaming = true
  return observed
}

/** The events with the pieces of each message put together: how they are cut is another matter. */
function joined(events: readonly string[]): string[] {
  const result: string[] = []
  for (const event of events) {
    const last = result.at(-1)
    const piece = /^piece (?:text|binary) /.exec(event)?.[0]
    if (piece === undefined || last?.startsWith(piece) !== true) result.push(event)
    else result[result.length - 1] = last + event.slice(piece.length)
  }
  return result
}

function broken(code: number, name: ViolationName): string {
  return `close ${code} ${VIOLATIONS[name][1]} [${name}]`
}

t.test('5.4: whole messages in one read, and fragments: a piece for each frame with a byte, and the end', async t => {
  for (const role of ROLES) {
    const observed = streamed(role)
    observed.feed([frame(TEXT, 'Hé'), frame(BINARY), frame(TEXT)])
    t.strictSame(observed.events, ['piece text 48c3a9', 'end text', 'end binary', 'end text'])
    observed.events.length = 0
    const [one, two] = [frame(BINARY_BEGIN, 'a'), frame(MIDDLE, 'bc')]
    observed.feed([one, frame(PING, '1'), frame(MIDDLE), two, frame(PONG), frame(END)])
    const pieces = ['piece binary 61', 'ping 31', 'piece binary 6263', 'pong ', 'end binary']
    t.strictSame(observed.events, pieces)
    t.equal(observed.sent(), asSentBy(role, [frame(PONG, '1')]))
  }
})

t.test('5.4: a piece for each read of a frame, as soon as it is here', async t => {
  for (const role of ROLES) {
    const observed = streamed(role)
    const wire = asSentTo(role, [frame(TEXT, 'abcdef')])
    const header = wire.length - 12
    const seen: string[][] = []
    const cuts = [0, header, header + 4, wire.length - 2, wire.length]
    for (const [i, cut] of cuts.slice(1).entries()) {
      observed.feedRaw(wire.slice(cuts[i], cut))
      seen.push(observed.events.splice(0))
    }
    t.strictSame(seen, [[], ['piece text 6162'], ['piece text 636465'], ['piece text 66', 'end text']], role)
  }
})

t.test('5.4: the same messages however they are cut', async t => {
  const frames = [frame(TEXT, 'κé€😀'), frame(TEXT_BEGIN, bytes('61 e2')), frame(MIDDLE, bytes('82')), frame(PING, 'p'),
    frame(END, bytes('ac')), frame(BINARY), frame(BINARY, bytes('ff00')), GOODBYE]
  const expected = [
    `piece text ${Buffer.from('κé€😀').toString('hex')}`, 'end text', 'piece text 61e282', 'ping 70', 'piece text ac',
    'end text', 'end binary', 'piece binary ff00', 'end binary', 'close 1000',
  ]
  for (const role of ROLES) {
    const wire = asSentTo(role, frames)
    for (const way of WAYS) {
      for (let cut = 0; cut <= wire.length; cut += 2) {
        const observed = streamed(role)
        observed.feedRaw(wire.slice(0, cut), way)
        observed.feedRaw(wire.slice(cut), way)
        t.strictSame(joined(observed.events), expected, `${role}, ${way}, cut at ${cut / 2}`)
      }
    }
  }
})

t.test('8.1: a text fails with its first bad byte, before the frame or the message is complete', async t => {
  const invalid = broken(1007, 'invalid-utf8')
  const rows: [frames: string[], whole: string[], joined: string[]][] = [
    [['81 06 61 f490'], [invalid], ['piece text 61f4', invalid]],
    [
      [frame(TEXT_BEGIN, 'a'), frame(MIDDLE, 'ÿ'), '00 04 62 ff'],
      ['piece text 61', 'piece text c3bf', invalid],
      ['piece text 61c3bf62', invalid],
    ],
    [[frame(TEXT, bytes('61 e282'))], ['piece text 61e282', invalid], ['piece text 61e282', invalid]],
    [[frame(TEXT_BEGIN, bytes('e2')), frame(END, 'a')], ['piece text e2', invalid], ['piece text e2', invalid]],
    [[frame(TEXT_BEGIN, bytes('e2')), frame(END)], ['piece text e2', invalid], ['piece text e2', invalid]],
  ]
  for (const role of ROLES) {
    for (const [frames, whole, bytewise] of rows) {
      const [one, other] = [streamed(role), streamed(role)]
      one.feed([...frames, frame(TEXT, 'never')])
      t.strictSame(one.events, whole, `${role}, ${frames[0]}`)
      other.feed([...frames, frame(TEXT, 'never')], 'byte by byte')
      t.strictSame(joined(other.events), bytewise, `${role}, ${frames[0]}, byte by byte`)
    }
    const binary = streamed(role)
    binary.feed([frame(BINARY, bytes('61 ff'))])
    t.strictSame(binary.events, ['piece binary 61ff', 'end binary'])
  }
})

t.test('7.4.1: the limit holds for the whole message, and is told by the header', async t => {
  const tooBig = broken(1009, 'message-too-big')
  const limit = { maxMessageBytes: 5 }
  const most = ['piece text 6161616161', 'end text']
  const rows: [frames: string[], expected: string[]][] = [
    [[frame(TEXT, 'aaaaa'), frame(TEXT, 'aaaaa')], [...most, ...most]],
    [[frame(TEXT, 'aaaaaa')], [tooBig]],
    [['82 06'], [tooBig]],
    [[frame(BINARY_BEGIN, 'aaa'), '80 03'], ['piece binary 616161', tooBig]],
    [[frame(BINARY_BEGIN, 'aaaaa'), frame(MIDDLE), frame(END)], ['piece binary 6161616161', 'end binary']],
    [[frame(BINARY_BEGIN, 'aaaaa'), frame(MIDDLE, 'a')], ['piece binary 6161616161', tooBig]],
  ]
  for (const role of ROLES) {
    for (const way of WAYS) {
      for (const [frames, expected] of rows) {
        const observed = streamed(role, limit)
        observed.feed(frames, way)
        t.strictSame(joined(observed.events), expected, `${role}, ${way}, ${frames[0]}`)
      }
    }
  }
})

t.test('5.4: a continuation needs a message, and a message its end', async t => {
  for (const role of ROLES) {
    for (const way of WAYS) {
      const [one, other] = [streamed(role), streamed(role)]
      one.feed([frame(END, 'a')], way)
      t.strictSame(one.events, [broken(1002, 'unexpected-continuation')])
      other.feed([frame(TEXT_BEGIN, 'a'), frame(TEXT, 'b')], way)
      t.strictSame(other.events, ['piece text 61', broken(1002, 'expected-continuation')])
    }
  }
})

t.test('switched on and off amid a message: from the next one on', async t => {
  for (const role of ROLES) {
    for (const way of WAYS) {
      const observed = new Observed(role)
      observed.feed([frame(TEXT_BEGIN, 'a')], way)
      observed.endpoint.streaming = true
      observed.feed([frame(END, 'b'), frame(BINARY_BEGIN, 'c')], way)
      observed.endpoint.streaming = false
      observed.feed([frame(MIDDLE, 'd'), frame(END, 'e'), frame(TEXT, 'f')], way)
      const pieces = ['piece binary 63', 'piece binary 64', 'piece binary 65', 'end binary']
      t.strictSame(observed.events, ['text ab', ...pieces, 'text f'], `${role}, ${way}`)
    }
    const inside = new Observed(role)
    inside.hook = event => (inside.endpoint.streaming = event.startsWith('text'))
    inside.feed([frame(TEXT, 'a'), frame(TEXT, 'b'), frame(TEXT, 'c')])
    t.strictSame(inside.events, ['text a', 'piece text 62', 'end text', 'text c'])
  }
})

t.test('a message that was compressed comes as one piece, if it has any byte, and its end', async t => {
  for (const role of ROLES) {
    for (const way of WAYS) {
      const observed = streamed(role, { compression: compressionOf(role) })
      const hello = deflated('Hello')
      const begun = [frame('42', hello.subarray(0, 3)), frame(PING), frame(END, hello.subarray(3))]
      observed.feed([frame('c1', hello), ...begun, frame('c1', bytes('00')), frame('c1', deflated(bytes('ff')))], way)
      t.strictSame(observed.events, [
        'piece text 48656c6c6f', 'end text', 'ping ', 'piece binary 48656c6c6f', 'end binary', 'end text',
        broken(1007, 'invalid-utf8'),
      ])
    }
  }
})

t.test('decompressed elsewhere: in pieces where it is streaming when it is handed over', async t => {
  for (const streaming of [false, true]) {
    const compression = new FakeCompression()
    const observed = new Observed('server', { compression })
    observed.endpoint.streaming = !streaming
    observed.feed([frame('c1', 'aaaaaaaaa'), frame(TEXT, 'b')])
    compression.decompressor.finish(bytes('63'))
    observed.endpoint.streaming = streaming
    observed.endpoint.resume()
    const pieces = ['piece text 63', 'end text', 'piece text 62', 'end text']
    t.strictSame(observed.events.slice(2), streaming ? pieces : ['text c', 'text b'])
  }
})

t.test('paused inside a piece: what has come of the frame goes on, nothing behind it does, until resume', async t => {
  for (const role of ROLES) {
    const observed = streamed(role)
    const { endpoint } = observed
    observed.hook = event => event === 'piece binary 6162' && endpoint.pause()
    observed.feed([frame(BINARY_BEGIN, 'ab'), frame(MIDDLE, 'cd'), frame(END, 'ef')])
    t.strictSame(observed.events, ['piece binary 6162'])
    endpoint.resume()
    t.strictSame(observed.events.slice(1), ['piece binary 6364', 'piece binary 6566', 'end binary'])
    observed.events.length = 0
    observed.feed([frame(BINARY, 'ab'), frame(TEXT, 'x')])
    t.strictSame(observed.events, ['piece binary 6162', 'end binary'], 'the frame at hand is completed')
    endpoint.resume()
    t.strictSame(observed.events.slice(2), ['piece text 78', 'end text'])
    observed.events.length = 0
    const wire = asSentTo(role, [frame(BINARY, 'abcd')])
    observed.feedRaw(wire.slice(0, -4))
    observed.feedRaw(wire.slice(-4))
    t.strictSame(observed.events, ['piece binary 6162'], 'a frame that is cut')
    endpoint.resume()
    t.strictSame(observed.events.slice(1), ['piece binary 6364', 'end binary'])
  }
})

t.test('over inside a piece: neither the end of the message nor anything else comes', async t => {
  const frames: [name: string, frames: string[]][] = [
    ['plain', [frame(BINARY, 'a')]],
    ['a fragment', [frame(BINARY_BEGIN, 'a'), frame(END, 'b')]],
    ['a last fragment', [frame(BINARY_BEGIN), frame(END, 'a')]],
    ['compressed', [frame('c2', deflated('a'))]],
  ]
  for (const role of ROLES) {
    for (const way of WAYS) {
      for (const [name, wire] of frames) {
        for (const [end, event] of [
          [(observed: Observed) => observed.endpoint.fail(1008, 'no'), 'close 1008 no'],
          [(observed: Observed) => observed.endpoint.transportEnded(), 'close 1006'],
        ] as const) {
          const observed = streamed(role, { compression: compressionOf(role) })
          observed.hook = now => now === 'piece binary 61' && end(observed)
          observed.feed([...wire, frame(TEXT, 'never')], way)
          t.strictSame(observed.events, ['piece binary 61', event], `${name}, ${role}, ${way}`)
        }
      }
    }
  }
})

t.test('closing inside a piece: the rest of the message still comes', async t => {
  const observed = streamed('server')
  observed.hook = event => event === 'piece binary 61' && observed.endpoint.close(1000)
  observed.feed([frame(BINARY_BEGIN, 'a'), frame(END, 'b'), GOODBYE])
  t.strictSame(observed.events, ['piece binary 61', 'piece binary 62', 'end binary', 'close 1000'])
})

t.test('7.4.1: a sink that throws in a piece, or at the end, fails the connection with 1011', async t => {
  const error = new Error('from the sink')
  for (const at of ['piece text 61', 'end text']) {
    for (const frames of [[frame(TEXT, 'a')], [frame('c1', deflated('a'))]]) {
      for (const way of WAYS) {
        const observed = streamed('client', { compression: compressionOf('client') })
        observed.hook = event => {
          if (event === at) throw error
        }
        observed.feed([...frames, frame(TEXT, 'never')], way)
        t.equal(observed.cause, error)
        t.strictSame(observed.events.at(-1), 'close 1011')
        t.strictSame(observed.events.at(-2), at)
      }
    }
  }
})
