import t from 'tap'
import { Endpoint, type EndpointSink } from '../../../lib/protocol/endpoint.ts'
import { Opcode } from '../../../lib/protocol/opcode.ts'
import { BufferedOutput } from '../../../lib/protocol/output.ts'
import { FakeCompression } from '../../helpers/fake-codec.ts'
import { bytes, closeFrame, frame, masked } from '../../helpers/frames.ts'
import { sinkWith } from '../../helpers/observed.ts'

const [TEXT, BINARY, BEGIN, END] = ['81', '82', '02', '80']
/** A message of so many bytes is one that the sink is asked about, where it has memory of its own. */
const LARGE = 64 * 1024

interface Asked {
  readonly endpoint: Endpoint
  readonly events: string[]
  readonly output: BufferedOutput
  /** What the sink answers. */
  ready: boolean
  feed(...frames: string[]): void
}

/** An endpoint whose sink is ready when the test says so. */
function asked(compression?: FakeCompression, more: Partial<EndpointSink> = {}): Asked {
  const events: string[] = []
  const output = new BufferedOutput()
  const sink = sinkWith({
    onMessage: (opcode, _, start, end, ascii) =>
      void events.push(`${opcode === Opcode.text ? 'text' : 'binary'} of ${end - start}${ascii && opcode === Opcode.text ? ', ascii' : ''}`),
    onClose: code => void events.push(`close ${code}`),
    onBusy: busy => void events.push(busy ? 'busy' : 'done'),
    isReady() {
      events.push('asked')
      return made.ready
    },
    ...more,
  })
  const endpoint = new Endpoint(sink, output, { role: 'server', compression })
  const feed = (...frames: string[]): void => {
    // One frame at a time, cut: its message gets memory of its own.
    for (const each of frames) {
      const wire = bytes(masked(each))
      endpoint.receive(wire.subarray(0, 1))
      endpoint.receive(wire.subarray(1))
    }
  }
  const made: Asked = { endpoint, events, output, ready: true, feed }
  return made
}

t.test('the sink is asked about large messages in memory of their own, and no others', async t => {
  const { endpoint, events, feed } = asked()
  feed(frame(BINARY, Buffer.alloc(LARGE - 1)), frame(BINARY, Buffer.alloc(LARGE)), frame(TEXT, 'a'))
  endpoint.receive(bytes(masked(frame(BINARY, Buffer.alloc(LARGE)))))
  t.strictSame(events, [`binary of ${LARGE - 1}`, 'asked', `binary of ${LARGE}`, 'text of 1, ascii', `binary of ${LARGE}`])
})

t.test('where it is not ready the message is kept, and what comes behind it, until it is at a resume', async t => {
  for (const [name, payload, event] of [
    [BINARY, Buffer.alloc(LARGE), `binary of ${LARGE}`],
    [TEXT, Buffer.alloc(LARGE, 'a'), `text of ${LARGE}, ascii`],
    [TEXT, Buffer.from('é'.repeat(LARGE)), `text of ${2 * LARGE}`],
  ] as const) {
    const made = asked()
    const { endpoint, events, feed } = made
    made.ready = false
    feed(frame(name, payload), frame(TEXT, 'b'))
    t.strictSame(events, ['asked'])
    t.ok(endpoint.halted)
    t.ok(endpoint.retained >= payload.length, 'which counts')
    endpoint.resume()
    t.strictSame(events, ['asked', 'asked'])
    made.ready = true
    endpoint.resume()
    t.strictSame(events, ['asked', 'asked', 'asked', event, 'text of 1, ascii'])
    t.equal(endpoint.retained, 0)
    feed(frame(TEXT, 'c'))
    t.equal(events.length, 6)
  }
})

t.test('a callback may pause again in front of what comes behind', async t => {
  const made = asked(undefined, { onMessage: (_, __, start, end) => {
    made.events.push(`message of ${end - start}`)
    made.endpoint.pause()
  } })
  made.ready = false
  made.feed(frame(BINARY, Buffer.alloc(LARGE)), frame(TEXT, 'b'))
  const all = ['asked', 'asked', `message of ${LARGE}`, 'message of 1']
  for (const seen of [1, 3, 4]) {
    t.strictSame(made.events, all.slice(0, seen))
    made.ready = true
    made.endpoint.resume()
  }
})

t.test('from inside the question a resume takes nothing back', async t => {
  const made = asked(undefined, { isReady() {
    made.endpoint.pause()
    made.endpoint.resume()
    return made.ready
  } })
  made.ready = false
  made.feed(frame(BINARY, Buffer.alloc(LARGE)), frame(TEXT, 'b'))
  t.strictSame(made.events, [])
  made.ready = true
  made.endpoint.resume()
  t.strictSame(made.events, [`binary of ${LARGE}`, 'text of 1, ascii'])
})

t.test('the question may end the connection', async t => {
  const made = asked(undefined, { isReady() {
    made.endpoint.fail(1011, '')
    return false
  } })
  made.feed(frame(BINARY, Buffer.alloc(LARGE)), frame(TEXT, 'b'))
  t.strictSame([made.events, made.endpoint.retained], [['close 1011'], 0])
})

t.test('in fragments too; and a connection that ends meanwhile hands over nothing', async t => {
  const made = asked()
  made.ready = false
  made.feed(frame(BEGIN, Buffer.alloc(LARGE)), frame(END, 'x'))
  t.strictSame(made.events, ['asked'])
  made.endpoint.fail(1013, '')
  made.endpoint.resume()
  t.strictSame([made.events, made.endpoint.retained], [['asked', 'close 1013'], 0])
  made.endpoint.receive(bytes(masked(closeFrame(1000))))
  t.strictSame(made.events.length, 2)
})

/** A compressed frame that `FakeDecompressor` makes twice as long. */
const half = (name: string, payload: Buffer): string => frame(name === TEXT ? 'c1' : 'c2', payload)

t.test('inflated messages too, once they are valid', async t => {
  for (const streaming of [false, true]) {
    const compression = new FakeCompression()
    compression.decompressor.atOnceUpTo = LARGE
    const made = asked(compression, {
      onMessagePiece: (_, __, start, end) => void made.events.push(`piece of ${end - start}`),
      onMessageEnd: () => void made.events.push('end'),
    })
    made.ready = false
    made.endpoint.streaming = streaming
    made.endpoint.receive(bytes(masked(half(BINARY, Buffer.alloc(LARGE / 2)))))
    t.strictSame(made.events, ['asked'])
    made.ready = true
    made.endpoint.resume()
    t.strictSame(made.events.slice(1), ['asked', ...(streaming ? [`piece of ${LARGE}`, 'end'] : [`binary of ${LARGE}`])])
    made.endpoint.receive(bytes(masked(half(TEXT, Buffer.alloc(LARGE / 2, 0xff)))))
    t.equal(made.events.at(-1), 'close 1007')
    t.equal(made.events.filter(event => event === 'asked').length, 2)
  }
})

t.test('inflated elsewhere a message is validated first as well, and then the sink is asked', async t => {
  for (const valid of [true, false]) {
    const compression = new FakeCompression()
    const made = asked(compression)
    made.ready = false
    made.endpoint.receive(bytes(masked(half(TEXT, Buffer.alloc(LARGE, valid ? 'a' : 0xff)))))
    compression.decompressor.finish()
    made.endpoint.resume()
    t.strictSame(made.events, ['busy', 'done', valid ? 'asked' : 'close 1007'])
    made.ready = true
    made.endpoint.resume()
    if (valid) t.strictSame(made.events.slice(3), ['asked', `text of ${2 * LARGE}`])
    else t.equal(made.events.length, 3)
  }
})

t.test('of a message that is inflated elsewhere the sink hears how its memory grows, where it wants to', async t => {
  for (const wants of [true, false]) {
    const compression = new FakeCompression()
    const seen: number[] = []
    const made = asked(compression, wants ? { onRetained: () => void seen.push(made.endpoint.retained) } : {})
    made.endpoint.receive(bytes(masked(half(BINARY, Buffer.alloc(1000)))))
    t.equal(made.endpoint.retained, 1000)
    for (const size of [70_000, 200_000]) compression.decompressor.grow(size)
    t.strictSame(seen, wants ? [70_000, 200_000] : [])
    t.equal(made.endpoint.retained, 200_000)
    compression.decompressor.finish()
    t.equal(made.endpoint.retained, 2000)
    made.endpoint.resume()
    t.strictSame([made.events, made.endpoint.retained], [['busy', 'done', 'binary of 2000'], 0])
  }
})

t.test('what compression keeps between messages', async t => {
  t.equal(asked().endpoint.contextBytes, 0)
  const compression = new FakeCompression()
  const { endpoint } = asked(compression)
  t.equal(endpoint.contextBytes, 0)
  Object.assign(compression.compressor, { memory: 300 })
  t.equal(endpoint.contextBytes, 300)
  Object.assign(compression.decompressor, { memory: 20 })
  t.equal(endpoint.contextBytes, 320)
})
