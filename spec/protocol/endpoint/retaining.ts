import t from 'tap'
import { retainedFor } from '../../../lib/protocol/endpoint.ts'
import { compressionOf, deflated } from '../../helpers/agreed.ts'
import { FakeCompression } from '../../helpers/fake-codec.ts'
import { bytes, frame } from '../../helpers/frames.ts'
import { retainedBy } from '../../helpers/memory.ts'
import { asSentTo, bothWays, failure, Observed, ROLES, WAYS, type WireOptions } from '../../helpers/observed.ts'

const [TEXT, BINARY, PING, PONG, COMPRESSED_TEXT, COMPRESSED_BINARY] = ['81', '82', '89', '8a', 'c1', 'c2']
const [TEXT_BEGIN, BINARY_BEGIN, COMPRESSED_BEGIN, MIDDLE, END] = ['01', '02', '41', '00', '80']
const tooMuch = failure(1009, 'too-much-retained')
const shared: WireOptions = { compression: role => compressionOf(role) }

t.test('7.4.1: a message takes as much memory as the limit, and no byte more, however it comes', async t => {
  const limit = { maxMessageBytes: 1000, maxRetainedBytes: 5 }
  for (const [whole, begin, event] of [
    [TEXT, TEXT_BEGIN, 'text aaaaa'],
    [BINARY, BINARY_BEGIN, 'binary 6161616161'],
  ] as const) {
    bothWays(t, [frame(whole, 'aaaaa'), frame(whole, 'aaaaa')], { events: [event, event] }, limit)
    const pinged = { events: ['ping ', event], sent: [frame(PONG)] }
    bothWays(t, [frame(begin, 'aaa'), frame(PING), frame(END, 'aa')], pinged, limit)
    bothWays(t, [frame(whole, 'aaaaaa')], tooMuch, limit)
    bothWays(t, [frame(begin, 'aaaaaa')], tooMuch, limit)
    bothWays(t, [frame(begin, 'aaa'), frame(END, 'aaa')], tooMuch, limit)
    bothWays(t, [frame(begin, 'aaaaa'), frame(MIDDLE), frame(MIDDLE, 'a')], tooMuch, limit)
  }
  bothWays(t, ['81 06'], tooMuch, limit)
  bothWays(t, [frame(TEXT), frame(TEXT, 'a')], { ...tooMuch, events: ['text ', ...tooMuch.events] }, { maxRetainedBytes: 0 })
})

t.test('7.4.1: where it is no less than the message may have, the message\'s limit is the one that is told of', async t => {
  const tooBig = failure(1009, 'message-too-big')
  for (const maxRetainedBytes of [5, 6, Infinity]) {
    bothWays(t, [frame(TEXT, 'aaaaaa')], tooBig, { maxMessageBytes: 5, maxRetainedBytes })
    bothWays(t, [frame(TEXT_BEGIN, 'aaa'), frame(END, 'aaa')], tooBig, { maxMessageBytes: 5, maxRetainedBytes })
  }
})

t.test('RFC 7692, 6.2: it holds for what came compressed, and for what that inflates to', async t => {
  const fits = deflated('a'.repeat(1000))
  const text = `text ${'a'.repeat(1000)}`
  for (const maxRetainedBytes of [1000, 2000]) {
    const limit = { ...shared, maxMessageBytes: 4000, maxRetainedBytes }
    bothWays(t, [frame(COMPRESSED_TEXT, fits)], { events: [text] }, limit)
    bothWays(t, [frame(COMPRESSED_BEGIN, fits.subarray(0, 3)), frame(END, fits.subarray(3))], { events: [text] }, limit)
  }
  const limit = { ...shared, maxMessageBytes: 4000, maxRetainedBytes: 999 }
  bothWays(t, [frame(COMPRESSED_TEXT, fits)], failure(1009, 'message-too-big'), limit)
  const header = (size: number): string => `${COMPRESSED_BINARY} 7e ${size.toString(16).padStart(4, '0')}`
  bothWays(t, [header(999)], { events: [] }, limit)
  bothWays(t, [header(1000)], tooMuch, limit)
  bothWays(t, [frame(COMPRESSED_BINARY, Buffer.alloc(1000))], tooMuch, limit)
})

t.test('what is decompressed elsewhere has the limit too', async t => {
  for (const [maxMessageBytes, maxRetainedBytes, most] of [
    [4000, 999, 999],
    [999, 4000, 999],
  ]) {
    const compression = new FakeCompression()
    const observed = new Observed('server', { compression, maxMessageBytes, maxRetainedBytes })
    observed.feed([frame(COMPRESSED_BINARY, 'a'.repeat(50))])
    t.strictSame(compression.decompressor.later.map(({ limit }) => limit), [most])
  }
})

t.test('a message that is handed on in pieces is not kept: only its own limit holds', async t => {
  for (const role of ROLES) {
    for (const way of WAYS) {
      const observed = new Observed(role, { maxMessageBytes: 1000, maxRetainedBytes: 5 })
      observed.endpoint.streaming = true
      observed.feed([frame(BINARY_BEGIN, Buffer.alloc(900)), frame(END, Buffer.alloc(100))], way)
      t.equal(observed.events.at(-1), 'end binary', `${role}, ${way}`)
      observed.feed([frame(BINARY, Buffer.alloc(1001))], way)
      t.match(observed.events.at(-1), /message-too-big/)
    }
  }
})

t.test('the default leaves room for every message within its limit, compressed or not', async t => {
  t.strictSame([0, 1, 8, 9, 1_000_000].map(retainedFor), [1024, 1026, 1033, 1035, 1_126_024])
  t.strictSame([Infinity, Number.MAX_SAFE_INTEGER].map(retainedFor), [Infinity, Infinity])
  const worst = 800 + 100 + 1024
  const compression = new FakeCompression()
  const observed = new Observed('server', { compression, maxMessageBytes: 800, maxRetainedBytes: undefined })
  observed.feedRaw(asSentTo('server', [frame(COMPRESSED_BEGIN, Buffer.alloc(worst)), frame(END)]), 'byte by byte')
  t.strictSame(observed.events, ['busy'])
})

t.test('a limit that is no amount of bytes is a misuse, not no limit', async t => {
  for (const maxRetainedBytes of [NaN, -1, 0.5, '16' as unknown as number]) {
    const make = (): unknown => new Observed('server', { maxRetainedBytes })
    t.throws(make, { name: 'MisuseError', code: 'invalid-option', message: /^maxRetainedBytes must be/ })
  }
})

t.test('a few bytes that are kept hold no more than themselves', async t => {
  const ways: [what: string, keep: (observed: Observed) => void][] = [
    ['of a ping', observed => observed.feed(['89 02 61'])],
    ['paused before them', observed => (observed.endpoint.pause(), observed.feed([frame(TEXT, 'a')]))],
    [
      'paused in front of them',
      observed => {
        observed.hook = () => observed.endpoint.pause()
        observed.feed([frame(TEXT, 'a'), frame(TEXT, 'b')])
      },
    ],
    ['of an answer that waits', observed => (Object.assign(observed.output, { blocked: true }), observed.feed([frame(PING, 'a')]))],
  ]
  const COUNT = 200
  for (const [what, keep] of ways) {
    const kept = retainedBy(() => {
      const all: Observed[] = []
      for (let i = 0; i < COUNT; i++) {
        const observed = new Observed('server')
        keep(observed)
        all.push(observed)
        // Others use the pool as well.
        for (let size = 0; size < 2 * Buffer.poolSize; size += 1000) Buffer.allocUnsafe(1000)
      }
      return all
    })
    t.ok(kept / COUNT < 4000, `${what}: ${Math.round(kept / COUNT)} bytes each`)
  }
})

t.test('10.4: a few bytes that a pause leaves unread do not hold on to the many that came with them', async t => {
  const LARGE = 60_000
  const COUNT = 50
  const retained = retainedBy(() =>
    Array.from({ length: COUNT }, () => {
      const observed = new Observed('client')
      observed.hook = event => {
        if (event.startsWith('text') || event.startsWith('binary')) observed.endpoint.pause()
      }
      observed.endpoint.receive(bytes(frame(TEXT, 'a') + frame(BINARY, Buffer.alloc(LARGE)) + frame(TEXT, 'b')))
      observed.endpoint.resume()
      t.equal(observed.endpoint.retained, 3)
      observed.events.length = 0
      return observed.endpoint
    })
  )
  t.ok(retained < (COUNT * LARGE) / 4, `${retained} bytes`)
})
