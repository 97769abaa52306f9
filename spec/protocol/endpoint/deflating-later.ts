import t from 'tap'
import type { Endpoint } from '../../../lib/protocol/endpoint.ts'
import type { Role } from '../../../lib/protocol/frame-parser.ts'
import { Opcode } from '../../../lib/protocol/opcode.ts'
import type { BufferedOutput } from '../../../lib/protocol/output.ts'
import { EndpointState } from '../../../lib/protocol/states.ts'
import { FakeCompression, type FakeCompressor } from '../../helpers/fake-codec.ts'
import { bytes, closeFrame, frame } from '../../helpers/frames.ts'
import { asSentBy, failure, Observed, ROLES } from '../../helpers/observed.ts'

const [TEXT, BINARY, PING, PONG] = ['81', '82', '89', '8a']
const [COMPRESSED_TEXT, COMPRESSED_BINARY] = ['c1', 'c2']
/** Ten bytes: too large to be compressed at once by the fake. */
const LARGE = 'aaaaaaaaaa'
const SENT = frame(COMPRESSED_TEXT, 'aaaaa')
const GOODBYE = closeFrame(1000)

interface Later {
  readonly observed: Observed
  readonly endpoint: Endpoint
  readonly output: BufferedOutput
  readonly compressor: FakeCompressor
  /** The frames that have gone out since the last call, unmasked. */
  sent(): string
  /** What is expected of it. */
  frames(...frames: string[]): string
}

function later(role: Role = 'server'): Later {
  const compression = new FakeCompression()
  const observed = new Observed(role, { compression })
  const { endpoint, output } = observed
  const { compressor } = compression
  const sent = (): string => observed.sent()
  return { observed, endpoint, output, compressor, sent, frames: (...all) => asSentBy(role, all) }
}

t.test('up to `atOnceUpTo` bytes are compressed at once, more elsewhere: promised until they are out', async t => {
  for (const role of ROLES) {
    const { observed, endpoint, output, compressor, sent, frames } = later(role)
    t.equal(endpoint.send(Opcode.text, 'aaaaaaaa'), true)
    t.strictSame([sent(), output.promised, endpoint.sendsLater], [frames(frame(COMPRESSED_TEXT, 'aaaa')), 0, false])
    t.equal(endpoint.send(Opcode.text, 'éaaaaaaa'), true)
    t.strictSame([sent(), output.promised, endpoint.sendsLater], ['', 9, true])
    compressor.finish(Buffer.from('zzz'))
    t.strictSame([sent(), output.promised, endpoint.sendsLater], [frames(frame(COMPRESSED_TEXT, 'zzz')), 0, false])
    t.strictSame(observed.events, ['output'])
    endpoint.send(Opcode.binary, Buffer.from(LARGE))
    compressor.finish()
    t.equal(sent(), frames(frame(COMPRESSED_BINARY, 'aaaaa')))
    endpoint.send(Opcode.text, 'b')
    t.strictSame([sent(), observed.events], [frames(frame(TEXT, 'b')), ['output', 'output']])
  }
})

t.test('what does not get smaller, or could not be compressed, goes as it is, context takeover or not', async t => {
  for (const role of ROLES) {
    for (const contextTakeover of [false, true]) {
      for (const result of [Buffer.alloc(10, 'z'), Buffer.alloc(11, 'z'), undefined]) {
        const { endpoint, output, compressor, sent, frames } = later(role)
        Object.assign(compressor, { contextTakeover })
        endpoint.send(Opcode.text, LARGE)
        compressor.finish(result)
        t.strictSame([sent(), output.promised], [frames(frame(TEXT, LARGE)), 0])
        endpoint.send(Opcode.binary, Buffer.from(LARGE), true)
        compressor.finish(result)
        t.strictSame([sent(), output.promised], [frames(frame(BINARY, LARGE)), 0])
      }
    }
  }
})

t.test('all that is sent meanwhile comes behind it in order; control frames overtake', async t => {
  for (const role of ROLES) {
    const { observed, endpoint, output, compressor, sent, frames } = later(role)
    endpoint.send(Opcode.text, LARGE)
    t.equal(endpoint.send(Opcode.text, 'é'), true)
    t.equal(endpoint.send(Opcode.binary, bytes('010203')), true)
    t.equal(endpoint.send(Opcode.text, 'bbbb'), true)
    t.equal(output.promised, 10 + 2 + 3 + 4)
    t.equal(sent(), '')
    t.equal(endpoint.ping(bytes('70')), true)
    t.equal(endpoint.pong(bytes('71')), true)
    observed.feed([frame(PING, 'x')])
    t.equal(sent(), frames(frame(PING, 'p'), frame(PONG, 'q'), frame(PONG, 'x')), 'control frames')
    compressor.finish()
    const expected = [SENT, frame(TEXT, 'é'), frame(BINARY, bytes('010203')), frame(COMPRESSED_TEXT, 'bb')]
    t.equal(sent(), frames(...expected))
    t.strictSame([output.promised, endpoint.sendsLater, observed.events], [0, false, ['ping 78', 'output']])
  }
})

t.test('several that are compressed elsewhere: one at a time, and what is between them stays there', async t => {
  const { endpoint, output, compressor, sent } = later()
  endpoint.send(Opcode.text, LARGE)
  endpoint.send(Opcode.text, 'one')
  endpoint.send(Opcode.text, 'bbbbbbbbbb')
  endpoint.send(Opcode.text, 'two')
  endpoint.send(Opcode.text, 'cccccccccc')
  endpoint.send(Opcode.text, 'end')
  t.equal(output.promised, 39)
  compressor.finish()
  t.strictSame([sent(), output.promised, endpoint.sendsLater], [SENT + frame(TEXT, 'one'), 26, true])
  compressor.finish()
  t.strictSame([sent(), output.promised], [frame(COMPRESSED_TEXT, 'bbbbb') + frame(TEXT, 'two'), 13])
  endpoint.send(Opcode.text, 'later')
  compressor.finish(undefined)
  const rest = frame(TEXT, 'cccccccccc') + frame(TEXT, 'end') + frame(COMPRESSED_TEXT, 'ltr')
  t.strictSame([sent(), output.promised, endpoint.sendsLater], [rest, 0, false])
})

t.test('`compress` holds for messages that wait as well', async t => {
  const { endpoint, compressor, sent } = later()
  endpoint.send(Opcode.text, LARGE)
  endpoint.send(Opcode.text, 'bb', false, true)
  endpoint.send(Opcode.text, 'cccccccccc', false, false)
  endpoint.send(Opcode.binary, Buffer.from('dd'), true, true)
  compressor.finish()
  t.equal(sent(), SENT + frame(COMPRESSED_TEXT, 'b') + frame(TEXT, 'cccccccccc') + frame(COMPRESSED_BINARY, 'd'))
})

t.test('the memory of what is lent is the caller\'s again at once; other memory is not copied', async t => {
  for (const role of ROLES) {
    for (const lent of [false, true]) {
      const { endpoint, compressor, sent, frames } = later(role)
      const [first, second] = [Buffer.from(LARGE), Buffer.from('bbb')]
      endpoint.send(Opcode.binary, first, lent)
      endpoint.send(Opcode.binary, second, lent)
      t.equal(compressor.later[0].payload === first, !lent)
      if (lent) for (const data of [first, second]) data.fill('x')
      compressor.finish(undefined)
      t.equal(sent(), frames(frame(BINARY, LARGE), frame(BINARY, 'bbb')), `${role}, ${lent}`)
      t.strictSame(first.toString(), lent ? 'xxxxxxxxxx' : LARGE, 'not masked in place')
    }
    const { endpoint, compressor, sent, frames } = later(role)
    endpoint.send(Opcode.text, LARGE)
    endpoint.send(Opcode.text, 'bbbbb')
    new Observed('server', { compression: new FakeCompression() }).endpoint.send(Opcode.text, 'xxxxxxx')
    compressor.finish(undefined)
    t.equal(sent(), frames(frame(TEXT, LARGE), frame(COMPRESSED_TEXT, 'bbb')), 'text that others encode over')
  }
})

t.test('5.5.1: closing waits for what was sent before; nothing can be sent behind it', async t => {
  for (const role of ROLES) {
    const { observed, endpoint, output, compressor, sent, frames } = later(role)
    endpoint.send(Opcode.text, LARGE)
    endpoint.send(Opcode.text, 'b')
    endpoint.close(1001, 'bye')
    endpoint.close(1000)
    t.strictSame([sent(), endpoint.state], ['', EndpointState.closeSent])
    t.equal(endpoint.send(Opcode.text, 'never'), false)
    t.equal(endpoint.ping(bytes('')), false)
    endpoint.whenSent(5, () => t.fail('never'))
    t.equal(output.promised, 11)
    observed.feed([frame(PING, 'x'), frame(TEXT, 'late')])
    t.equal(sent(), frames(frame(PONG, 'x')), 'pings are answered')
    compressor.finish()
    t.equal(sent(), frames(SENT, frame(TEXT, 'b'), closeFrame(1001, 'bye')))
    t.equal(output.promised, 0)
    observed.feed([closeFrame(1001)])
    t.strictSame(observed.events, ['ping 78', 'text late', 'output', 'close 1001'])
    t.equal(sent(), '', 'no second close frame')
  }
})

t.test('5.5.3: a pong that is owed goes before a close frame that has waited', async t => {
  const { observed, endpoint, output, compressor, sent } = later()
  endpoint.send(Opcode.text, LARGE)
  endpoint.close(1000)
  output.blocked = true
  observed.feed([frame(PING, 'x')])
  t.equal(sent(), '')
  compressor.finish()
  t.equal(sent(), SENT + frame(PONG, 'x') + GOODBYE)
})

t.test('5.5.1: the peer\'s close frame is answered at once, even where ours waits; what waited is dropped', async t => {
  for (const role of ROLES) {
    for (const closing of [false, true]) {
      const { observed, endpoint, output, compressor, sent, frames } = later(role)
      endpoint.send(Opcode.text, LARGE)
      endpoint.send(Opcode.text, 'bbb')
      if (closing) endpoint.close(1001)
      observed.feed([closeFrame(4000, 'x')])
      t.equal(sent(), frames(closeFrame(4000, 'x')), `${role}, ${closing}`)
      t.strictSame([output.promised, output.waiting], [0, 0], 'nothing is promised any more')
      t.equal(compressor.later[0].cancelled, true)
      compressor.finish()
      t.strictSame([sent(), output.promised, observed.events], ['', 0, ['close 4000 x']])
      endpoint.close(1000)
      endpoint.fail(1008, '')
      endpoint.transportEnded()
      t.strictSame([sent(), observed.events.length, compressor.closed], ['', 1, 1])
    }
  }
})

t.test('7.1.7: a failure says so at once, whether our close frame waits or not; what waited is dropped', async t => {
  const broken = failure(1002, 'reserved-opcode')
  const rows: [fail: (all: Later) => void, events: readonly string[], close: string][] = [
    [({ endpoint }) => endpoint.fail(1008, 'no'), ['close 1008 no'], closeFrame(1008, 'no')],
    [({ observed }) => observed.feed(['8300']), broken.events, broken.sent?.join('') ?? ''],
  ]
  for (const role of ROLES) {
    for (const [fail, events, close] of rows) {
      for (const closing of [false, true]) {
        const all = later(role)
        const { observed, endpoint, output, compressor, sent, frames } = all
        endpoint.send(Opcode.text, LARGE)
        endpoint.send(Opcode.text, 'bbb')
        if (closing) endpoint.close(1001)
        fail(all)
        t.strictSame([observed.events, sent(), output.promised], [events, frames(close), 0])
        compressor.finish(undefined)
        endpoint.fail(1008, 'again')
        t.strictSame([observed.events, sent(), output.promised], [events, '', 0])
        endpoint.whenSent(7, () => t.fail('never'))
        t.equal(output.promised, 0)
      }
    }
  }
})

t.test('7.1.5: where the transport ends, nothing is sent, and nothing stays promised', async t => {
  for (const closing of [false, true]) {
    const { observed, endpoint, output, compressor, sent } = later()
    endpoint.send(Opcode.text, LARGE)
    endpoint.send(Opcode.text, 'bbbbbbbbbb')
    endpoint.whenSent(5, () => t.fail('never'))
    if (closing) endpoint.close(1000)
    t.strictSame([output.promised, output.waiting], [25, closing ? 3 : 2])
    endpoint.transportEnded()
    t.strictSame([output.promised, output.waiting], [0, 0])
    compressor.finish()
    endpoint.fail(1008, 'over already')
    t.strictSame([observed.events, sent(), output.promised], [['close 1006'], '', 0])
    t.equal(compressor.later.length, 0)
  }
})

t.test('sending from inside onOutput and from whenSent keeps the order', async t => {
  const { observed, endpoint, compressor, sent } = later()
  observed.hook = event => event === 'output' && endpoint.send(Opcode.text, 'out')
  endpoint.send(Opcode.text, LARGE)
  endpoint.whenSent(0, () => {
    t.equal(endpoint.sendsLater, true, 'the next one waits already')
    endpoint.send(Opcode.text, 'end')
  })
  endpoint.send(Opcode.text, 'mid')
  compressor.finish()
  t.equal(sent(), SENT + ['mid', 'end', 'out'].map(text => frame(TEXT, text)).join(''))
})

t.test('a compressor that goes on from inside onOutput: the queue is held again', async t => {
  const { observed, endpoint, output, compressor, sent } = later()
  observed.hook = () => observed.events.length === 1 && endpoint.send(Opcode.text, 'bbbbbbbbbb')
  endpoint.send(Opcode.text, LARGE)
  compressor.finish()
  t.strictSame([sent(), output.promised, endpoint.sendsLater], [SENT, 10, true])
  compressor.finish()
  t.strictSame([sent(), output.promised, endpoint.sendsLater], [frame(COMPRESSED_TEXT, 'bbbbb'), 0, false])
})
