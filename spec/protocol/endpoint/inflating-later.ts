import t from 'tap'
import { Endpoint } from '../../../lib/protocol/endpoint.ts'
import type { Role } from '../../../lib/protocol/frame-parser.ts'
import { Opcode } from '../../../lib/protocol/opcode.ts'
import { BufferedOutput } from '../../../lib/protocol/output.ts'
import { EndpointState } from '../../../lib/protocol/states.ts'
import { Violation, type ViolationName } from '../../../lib/protocol/violation.ts'
import { compressionOf, deflated, MODES } from '../../helpers/agreed.ts'
import { FakeCompression, type FakeDecompressor } from '../../helpers/fake-codec.ts'
import { bytes, closeFrame, frame } from '../../helpers/frames.ts'
import { asSentBy, asSentTo, failure, Observed, ROLES, sinkWith, WAYS } from '../../helpers/observed.ts'

const [TEXT, PING, PONG, END] = ['81', '89', '8a', '80']
const [COMPRESSED_TEXT, COMPRESSED_BINARY, TEXT_BEGIN] = ['c1', 'c2', '41']
/** Nine bytes: too large to be decompressed at once by the fake. */
const LARGE = frame(COMPRESSED_TEXT, 'abcdefghi')
const MESSAGE = 'text aabbccddeeffgghhii'
const GOODBYE = closeFrame(1000)

interface Later {
  readonly observed: Observed
  readonly endpoint: Endpoint
  readonly decompressor: FakeDecompressor
}

function later(role: Role = 'server', maxMessageBytes = 1000): Later {
  const compression = new FakeCompression()
  const observed = new Observed(role, { compression, maxMessageBytes })
  return { observed, endpoint: observed.endpoint, decompressor: compression.decompressor }
}

/** As a transport does it: what is done is handed over, unless it was paused. */
function resuming({ observed, endpoint }: Later): void {
  observed.hook = event => event === 'ready' && !endpoint.paused && endpoint.resume()
}

t.test('up to `atOnceUpTo` bytes are decompressed at once, more elsewhere, with the limit', async t => {
  for (const role of ROLES) {
    for (const way of WAYS) {
      for (const frames of [[LARGE], [frame(TEXT_BEGIN, 'abcde'), frame(END, 'fghi')]]) {
        const { observed, endpoint, decompressor } = later(role)
        observed.feed([frame(COMPRESSED_TEXT, 'abcdefgh'), ...frames], way)
        t.strictSame(observed.events, ['text aabbccddeeffgghh', 'busy'], `${role}, ${way}`)
        t.strictSame(decompressor.later.map(({ bytes, limit }) => [bytes.toString(), limit]), [['abcdefghi', 1000]])
        decompressor.finish()
        t.strictSame(observed.events.slice(2), ['ready'], 'not handed over before it is resumed')
        endpoint.resume()
        t.strictSame(observed.events.slice(3), [MESSAGE])
        endpoint.resume()
        t.equal(observed.events.length, 4, 'once')
      }
    }
  }
})

t.test('what turns out too large to be decompressed at once is decompressed elsewhere, once', async t => {
  for (const role of ROLES) {
    for (const way of WAYS) {
      for (const frames of [[frame(COMPRESSED_TEXT, 'abcd')], [frame(TEXT_BEGIN, 'ab'), frame(END, 'cd')]]) {
        const all = later(role)
        resuming(all)
        const { observed, decompressor } = all
        decompressor.becomesAtOnce = 6
        observed.feed([frame(COMPRESSED_TEXT, 'abc'), ...frames, frame(COMPRESSED_TEXT, 'e')], way)
        t.strictSame(observed.events, ['text aabbcc', 'busy'], `${role}, ${way}`)
        t.strictSame(decompressor.later.map(({ bytes, limit }) => [bytes.toString(), limit]), [['abcd', 1000]])
        decompressor.finish()
        t.strictSame(observed.events.slice(2), ['ready', 'text aabbccdd', 'text ee'])
      }
    }
  }
})

t.test('what is received meanwhile is kept, whatever it is, and comes behind it in order', async t => {
  const frames = [frame(TEXT, 'a'), frame(PING, 'b'), LARGE, frame(TEXT, 'c'), GOODBYE, frame(TEXT, 'never')]
  const events = ['busy', 'ready', MESSAGE, 'text a', 'ping 62', 'busy', 'ready', MESSAGE, 'text c', 'close 1000']
  for (const role of ROLES) {
    const wire = asSentTo(role, [LARGE, ...frames])
    for (const way of WAYS) {
      for (let cut = 0; cut <= wire.length; cut += 2) {
        const all = later(role)
        resuming(all)
        const { observed, decompressor } = all
        observed.feedRaw(wire.slice(0, cut), way)
        observed.feedRaw(wire.slice(cut), way)
        t.strictSame(observed.events, ['busy'])
        decompressor.finish()
        decompressor.finish()
        t.strictSame(observed.events, events, `${role}, ${way}, cut at ${cut / 2}`)
        t.equal(observed.sent(), asSentBy(role, [frame(PONG, 'b'), GOODBYE]))
      }
    }
  }
})

t.test('what comes between its end and resume is kept as well', async t => {
  const { observed, endpoint, decompressor } = later()
  observed.feed([LARGE])
  decompressor.finish()
  observed.feed([frame(TEXT, 'b')], 'byte by byte')
  t.strictSame(observed.events, ['busy', 'ready'])
  endpoint.resume()
  t.strictSame(observed.events.slice(2), [MESSAGE, 'text b'])
})

t.test('paused before, during and after: nothing is handed over until resume', async t => {
  const before = later()
  before.endpoint.pause()
  before.observed.feed([LARGE, frame(TEXT, 'b')])
  t.strictSame(before.observed.events, [])
  before.endpoint.resume()
  t.strictSame(before.observed.events, ['busy'])

  const during = later()
  resuming(during)
  during.observed.feed([LARGE, frame(TEXT, 'b')])
  during.endpoint.pause()
  during.decompressor.finish()
  t.strictSame(during.observed.events, ['busy', 'ready'])
  t.equal(during.endpoint.paused, true)
  during.endpoint.resume()
  t.strictSame(during.observed.events.slice(2), [MESSAGE, 'text b'])
  t.equal(during.endpoint.paused, false)

  const after = later()
  after.observed.feed([LARGE, frame(TEXT, 'b')])
  after.decompressor.finish()
  after.endpoint.pause()
  after.observed.feed([frame(TEXT, 'c')])
  t.strictSame(after.observed.events, ['busy', 'ready'])
  after.endpoint.resume()
  t.strictSame(after.observed.events.slice(2), [MESSAGE, 'text b', 'text c'])
})

t.test('resumed while it is under way: only the pause is taken back, and nothing overtakes it', async t => {
  const all = later()
  const { observed, endpoint, decompressor } = all
  resuming(all)
  observed.feed([LARGE, frame(TEXT, 'b')])
  endpoint.resume()
  t.strictSame(observed.events, ['busy'])
  endpoint.pause()
  t.equal(endpoint.paused, true)
  endpoint.resume()
  t.equal(endpoint.paused, false)
  observed.feed([frame(TEXT, 'c')])
  t.strictSame(observed.events, ['busy'])
  decompressor.finish()
  t.strictSame(observed.events, ['busy', 'ready', MESSAGE, 'text b', 'text c'])
})

t.test('paused inside onBusy: the same', async t => {
  const { observed, endpoint, decompressor } = later()
  observed.hook = event => {
    if (event !== 'busy') return
    endpoint.pause()
    endpoint.resume()
    t.equal(endpoint.paused, false)
    endpoint.pause()
  }
  observed.feed([LARGE, frame(TEXT, 'b')])
  decompressor.finish()
  t.strictSame([observed.events, endpoint.paused], [['busy', 'ready'], true])
  endpoint.resume()
  t.strictSame(observed.events.slice(2), [MESSAGE, 'text b'])
})

t.test('paused inside the call that hands it over: what is behind it waits', async t => {
  for (const again of [false, true]) {
    const { observed, endpoint, decompressor } = later()
    observed.hook = event => {
      if (event !== MESSAGE) return
      endpoint.pause()
      if (again) endpoint.resume()
      t.equal(observed.events.at(-1), MESSAGE, 'nothing comes inside of it')
    }
    observed.feed([LARGE, frame(TEXT, 'b')])
    decompressor.finish()
    endpoint.resume()
    t.strictSame(observed.events.slice(2), again ? [MESSAGE, 'text b'] : [MESSAGE])
    t.equal(endpoint.paused, !again)
    observed.feed([frame(TEXT, 'c')])
    endpoint.resume()
    t.strictSame(observed.events.slice(2), [MESSAGE, 'text b', 'text c'])
  }
})

t.test('receive from inside the call that hands it over is the misuse that it always is', async t => {
  const { observed, endpoint, decompressor } = later()
  observed.hook = event => {
    if (event !== MESSAGE) return
    t.throws(() => endpoint.receive(bytes('8180')), { name: 'MisuseError', code: 'invalid-state' })
  }
  observed.feed([LARGE])
  decompressor.finish()
  endpoint.resume()
  observed.feed([frame(TEXT, 'b')])
  t.strictSame(observed.events.slice(2), [MESSAGE, 'text b'])
})

t.test('7.4.1, 8.1: what it turns out to be fails the connection, once it would be handed over', async t => {
  const rows: [result: Buffer | Violation, failed: ReturnType<typeof failure>][] = [
    [new Violation('invalid-deflate'), failure(1007, 'invalid-deflate')],
    [new Violation('message-too-big'), failure(1009, 'message-too-big')],
    [bytes('61 c3'), failure(1007, 'invalid-utf8')],
  ]
  for (const [result, { events, sent }] of rows) {
    const { observed, endpoint, decompressor } = later()
    observed.feed([LARGE, frame(TEXT, 'never')])
    decompressor.finish(result)
    t.strictSame([observed.events, observed.sent()], [['busy', 'ready'], ''])
    endpoint.resume()
    t.strictSame([observed.events.slice(2), observed.sent()], [events, asSentBy('server', sent ?? [])])
    endpoint.resume()
    observed.feed([frame(TEXT, 'never')])
    t.equal(observed.events.length, 3)
  }
  const { observed, endpoint, decompressor } = later()
  observed.feed([frame(COMPRESSED_BINARY, 'abcdefghi')])
  decompressor.finish(bytes('61 c3'))
  endpoint.resume()
  t.strictSame(observed.events, ['busy', 'ready', 'binary 61c3'])
})

t.test('over while it is under way, or done: it is never handed over, and nobody is told', async t => {
  const ends: [end: (all: Later) => void, event: string][] = [
    [({ endpoint }) => endpoint.transportEnded(), 'close 1006'],
    [({ endpoint }) => endpoint.fail(1008, 'no'), 'close 1008 no'],
  ]
  for (const [end, event] of ends) {
    const during = later()
    during.observed.feed([LARGE, frame(TEXT, 'never')])
    end(during)
    t.strictSame(during.observed.events, ['busy', event])
    during.decompressor.finish()
    during.endpoint.resume()
    during.observed.feed([frame(TEXT, 'never')])
    t.strictSame(during.observed.events, ['busy', event])
    const after = later()
    after.observed.feed([LARGE, frame(TEXT, 'never')])
    after.decompressor.finish()
    end(after)
    after.endpoint.resume()
    t.strictSame(after.observed.events, ['busy', 'ready', event])
    t.equal(after.endpoint.state, EndpointState.closed)
  }
})

t.test('failing, and throwing, inside the call that hands it over stop the reading there', async t => {
  const failing = later()
  failing.observed.hook = event => event === MESSAGE && failing.endpoint.fail(1008, 'no')
  failing.observed.feed([LARGE, frame(TEXT, 'never')])
  failing.decompressor.finish()
  failing.endpoint.resume()
  t.strictSame(failing.observed.events.slice(2), [MESSAGE, 'close 1008 no'])
  const throwing = later()
  const error = new Error('from the sink')
  throwing.observed.hook = event => {
    if (event === MESSAGE) throw error
  }
  throwing.observed.feed([LARGE, frame(TEXT, 'never')])
  throwing.decompressor.finish()
  throwing.endpoint.resume()
  t.equal(throwing.observed.cause, error)
  t.strictSame(throwing.observed.events.slice(2), [MESSAGE, 'close 1011'])
  throwing.endpoint.resume()
  t.equal(throwing.observed.events.length, 4)
})

t.test('meanwhile sending and closing go on; the peer\'s close frame comes when its turn is', async t => {
  const all = later()
  const { observed, endpoint, decompressor } = all
  resuming(all)
  observed.feed([LARGE, GOODBYE])
  t.equal(endpoint.send(Opcode.text, 'a'), true)
  endpoint.ping(bytes('70'))
  endpoint.close(1001)
  t.equal(observed.sent(), frame(TEXT, 'a') + frame(PING, 'p') + closeFrame(1001))
  decompressor.finish()
  t.strictSame(observed.events, ['busy', 'ready', MESSAGE, 'close 1000'])
  t.equal(observed.sent(), '')
})

t.test('in memory of its own: what is large is not lent, and stays as it is', async t => {
  for (const mode of MODES) {
    const received: [message: Buffer, lent: boolean][] = []
    const all = new Promise<void>(resolve => {
      const sink = sinkWith({
        onMessage: (_, data, start, end, ascii, lent) => {
          t.equal(ascii, false)
          if (received.push([data.subarray(start, end), lent]) === 2) resolve()
        },
        onBusy: busy => busy || endpoint.resume(),
      })
      const compression = compressionOf('client', mode)
      const endpoint = new Endpoint(sink, new BufferedOutput(), { role: 'client', compression })
      for (const seed of [7, 13]) {
        const chunk = bytes(frame(COMPRESSED_BINARY, deflated(noise(seed))))
        endpoint.receive(chunk)
        chunk.fill(0xaa)
      }
    })
    await all
    t.strictSame(received.map(([, lent]) => lent), [false, false], mode)
    for (const [i, seed] of [7, 13].entries()) t.ok(received[i][0].equals(noise(seed)), `${mode}, ${i}`)
  }
})

t.test('RFC 7692, 7.2.2: a large message that is corrupt, too large or no UTF-8, with real codecs', async t => {
  const good = deflated(noise(7))
  const corrupt = Buffer.concat([good.subarray(0, 9000), bytes('ff ff ff ff ff')])
  const rows: [first: string, payload: Buffer, code: number, violation: ViolationName][] = [
    [COMPRESSED_BINARY, corrupt, 1007, 'invalid-deflate'],
    [COMPRESSED_BINARY, deflated(noise(7, 100_001)), 1009, 'message-too-big'],
    [COMPRESSED_TEXT, good, 1007, 'invalid-utf8'],
  ]
  for (const mode of MODES) {
    for (const [first, payload, code, violation] of rows) {
      const compression = compressionOf('server', mode)
      const observed = new Observed('server', { compression, maxMessageBytes: 100_000 })
      await new Promise<void>(resolve => {
        observed.hook = event => {
          if (event === 'ready') observed.endpoint.resume()
          if (event.startsWith('close')) resolve()
        }
        observed.feed([frame(first, payload), frame(TEXT, 'never')])
      })
      const { events, sent } = failure(code, violation)
      const expected = [['busy', 'ready', ...events], sent?.join('')]
      t.strictSame([observed.events, observed.sent()], expected, `${violation}, ${mode}`)
    }
  }
})

/** Bytes that do not get much smaller. */
function noise(seed: number, size = 100_000): Buffer {
  let state = seed
  return Buffer.from(Array.from({ length: size }, () => (state = Math.imul(state, 1664525) + 1013904223) >>> 24))
}

t.test('10.4: what is kept meanwhile is copied: the memory that it came in is free', async t => {
  const { observed, endpoint, decompressor } = later('client')
  const chunk = bytes(LARGE + frame(TEXT, 'b'))
  endpoint.receive(chunk)
  chunk.fill(0)
  decompressor.finish()
  endpoint.resume()
  t.strictSame(observed.events.slice(2), [MESSAGE, 'text b'])
})
