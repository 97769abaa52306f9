import t from 'tap'
import { Opcode } from '../../../lib/protocol/opcode.ts'
import { EndpointState } from '../../../lib/protocol/states.ts'
import { FakeCompression } from '../../helpers/fake-codec.ts'
import { bytes, closeFrame, frame } from '../../helpers/frames.ts'
import { asSentBy, exchange, Observed, ROLES } from '../../helpers/observed.ts'

const [TEXT, BINARY, PING, PONG] = ['81', '82', '89', '8a']
const [TEXT_BEGIN, BINARY_BEGIN, MIDDLE, END] = ['01', '02', '00', '80']
const part = (text: string): Buffer => Buffer.from(text)

/** Begins a message as a caller does, in its turn. */
function begin({ endpoint }: Observed, begun: () => void = () => {}): void {
  endpoint.whenSent(0, () => {
    endpoint.beginParts()
    begun()
  })
}

t.test('5.4: the parts of a message are its fragments; one part alone is a whole message', async t => {
  for (const role of ROLES) {
    const observed = new Observed(role)
    const { endpoint } = observed
    begin(observed)
    t.equal(endpoint.sendsLater, true)
    t.equal(endpoint.sendPart(Opcode.text, part('é'), false), true)
    t.equal(endpoint.sendPart(Opcode.continuation, part(''), false), true)
    t.equal(endpoint.sendPart(Opcode.continuation, part('b'), true), true)
    t.equal(endpoint.sendsLater, false)
    t.equal(observed.sent(), asSentBy(role, [frame(TEXT_BEGIN, 'é'), frame(MIDDLE), frame(END, 'b')]))
    begin(observed)
    endpoint.sendPart(Opcode.binary, part('c'), true)
    t.equal(observed.sent(), asSentBy(role, [frame(BINARY, 'c')]))
    t.strictSame(observed.events, [], 'nobody has to be told')
  }
})

t.test('5.4: messages wait for the last part, control frames do not', async t => {
  for (const role of ROLES) {
    const observed = new Observed(role)
    const { endpoint, output } = observed
    begin(observed)
    endpoint.sendPart(Opcode.text, part('a'), false)
    t.equal(endpoint.send(Opcode.text, 'bc'), true)
    t.equal(endpoint.send(Opcode.binary, bytes('010203'), true), true)
    endpoint.ping(bytes('70'))
    observed.feed([frame(PING, 'x')])
    t.equal(output.promised, 5)
    t.equal(observed.sent(), asSentBy(role, [frame(TEXT_BEGIN, 'a'), frame(PING, 'p'), frame(PONG, 'x')]))
    endpoint.sendPart(Opcode.continuation, part('d'), true)
    t.equal(observed.sent(), asSentBy(role, [frame(END, 'd'), frame(TEXT, 'bc'), frame(BINARY, bytes('010203'))]))
    t.equal(output.promised, 0)
  }
})

t.test('a small Buffer is the caller`s again at once, also where its message waits; a large one is not copied', async t => {
  const observed = new Observed('server')
  const { endpoint } = observed
  begin(observed)
  const small = bytes('0101')
  const large = Buffer.alloc(64 * 1024, 1)
  endpoint.send(Opcode.binary, small)
  endpoint.send(Opcode.binary, large)
  small.fill(2)
  large.fill(2)
  endpoint.sendPart(Opcode.binary, part('x'), true)
  t.equal(observed.sent(), frame(BINARY, 'x') + frame(BINARY, bytes('0101')) + frame(BINARY, large))
})

t.test('whenSent: at once where nothing is on its way, else in its turn, its bytes promised until then', async t => {
  const observed = new Observed('server')
  const { endpoint, output } = observed
  const write = (text: string) => (): void => output.append(bytes(frame(TEXT, text)))
  endpoint.whenSent(5, write('now'))
  t.strictSame([observed.sent(), output.promised], [frame(TEXT, 'now'), 0])
  begin(observed)
  endpoint.whenSent(7, write('then'))
  endpoint.send(Opcode.text, 'b')
  endpoint.whenSent(9, write('last'))
  t.strictSame([observed.sent(), output.promised], ['', 17])
  endpoint.sendPart(Opcode.text, part('a'), true)
  const sent = ['a', 'then', 'b', 'last'].map(text => frame(TEXT, text)).join('')
  t.strictSame([observed.sent(), output.promised], [sent, 0])
})

t.test('several messages in parts: each begins when the one before is complete', async t => {
  const observed = new Observed('server')
  const { endpoint } = observed
  const begun: string[] = []
  for (const name of ['one', 'two', 'three']) begin(observed, () => begun.push(name))
  endpoint.send(Opcode.text, 'end')
  t.strictSame(begun, ['one'])
  endpoint.sendPart(Opcode.text, part('1'), false)
  endpoint.sendPart(Opcode.continuation, part('1'), true)
  t.strictSame(begun, ['one', 'two'])
  endpoint.sendPart(Opcode.binary, part('2'), true)
  t.strictSame(begun, ['one', 'two', 'three'])
  t.equal(endpoint.sendsLater, true)
  endpoint.sendPart(Opcode.text, part('3'), true)
  const sent = [frame(TEXT_BEGIN, '1'), frame(END, '1'), frame(BINARY, '2'), frame(TEXT, '3'), frame(TEXT, 'end')]
  t.equal(observed.sent(), sent.join(''))
  t.equal(endpoint.sendsLater, false)
})

t.test('a message in parts that is begun and completed inside whenSent, also where it had to wait', async t => {
  const observed = new Observed('server')
  const { endpoint, output } = observed
  begin(observed)
  const all = (text: string) => (): void => {
    endpoint.beginParts()
    endpoint.sendPart(Opcode.text, part(text), false)
    endpoint.sendPart(Opcode.continuation, part(text), true)
  }
  endpoint.whenSent(3, all('b'))
  endpoint.whenSent(4, all('c'))
  endpoint.send(Opcode.text, 'd')
  endpoint.sendPart(Opcode.text, part('a'), true)
  const message = (text: string): string => frame(TEXT_BEGIN, text) + frame(END, text)
  t.equal(observed.sent(), frame(TEXT, 'a') + message('b') + message('c') + frame(TEXT, 'd'))
  t.strictSame([output.promised, endpoint.sendsLater], [0, false])
})

t.test('failing from inside whenSent counts nothing twice, and runs nothing more', async t => {
  const observed = new Observed('server')
  const { endpoint, output } = observed
  begin(observed)
  endpoint.whenSent(3, () => {})
  endpoint.whenSent(5, () => endpoint.fail(1008, ''))
  endpoint.whenSent(7, () => t.fail('never'))
  endpoint.send(Opcode.text, 'never')
  endpoint.sendPart(Opcode.text, part('a'), true)
  t.equal(output.promised, 0)
  t.equal(observed.sent(), frame(TEXT, 'a') + closeFrame(1008))
})

t.test('parts are not compressed, and come before and behind what is compressed elsewhere', async t => {
  const compression = new FakeCompression()
  const observed = new Observed('server', { compression })
  const { endpoint, output } = observed
  const { compressor } = compression
  endpoint.send(Opcode.text, 'aaaaaaaaaa')
  const begun: string[] = []
  begin(observed, () => begun.push('begun'))
  endpoint.send(Opcode.text, 'bbbbbbbbbb')
  t.strictSame(begun, [])
  compressor.finish()
  t.strictSame([begun, observed.sent(), output.promised], [['begun'], frame('c1', 'aaaaa'), 10])
  endpoint.sendPart(Opcode.text, part('pppppp'), false)
  endpoint.sendPart(Opcode.continuation, part('qqqqqq'), true)
  t.equal(observed.sent(), frame(TEXT_BEGIN, 'pppppp') + frame(END, 'qqqqqq'))
  t.strictSame([output.promised, compressor.later.length], [10, 1])
  compressor.finish()
  t.equal(observed.sent(), frame('c1', 'bbbbb'))
  t.strictSame(observed.events, ['output', 'output'])
})

t.test('5.5.1: closing waits for the last part, and parts go on until then', async t => {
  for (const role of ROLES) {
    const observed = new Observed(role)
    const { endpoint } = observed
    begin(observed)
    endpoint.sendPart(Opcode.text, part('a'), false)
    endpoint.close(1000)
    t.equal(endpoint.state, EndpointState.closeSent)
    t.equal(endpoint.sendPart(Opcode.continuation, part('b'), false), true)
    t.equal(observed.sent(), asSentBy(role, [frame(TEXT_BEGIN, 'a'), frame(MIDDLE, 'b')]))
    begin(observed, () => t.fail('never behind a close frame'))
    t.equal(endpoint.sendPart(Opcode.continuation, part('c'), true), true)
    t.equal(observed.sent(), asSentBy(role, [frame(END, 'c'), closeFrame(1000)]))
    begin(observed, () => t.fail('never behind a close frame'))
    observed.feed([closeFrame(1000)])
    t.equal(observed.sent(), '')
  }
})

t.test('over amid the parts: no part goes out any more, the close frame may, and nothing stays promised', async t => {
  const ends: [end: (observed: Observed) => void, sent: string][] = [
    [({ endpoint }) => endpoint.transportEnded(), ''],
    [({ endpoint }) => endpoint.fail(1011, ''), closeFrame(1011)],
    [observed => observed.feed([closeFrame(1001)]), closeFrame(1001)],
  ]
  for (const [end, sent] of ends) {
    for (const closing of [false, true]) {
      const observed = new Observed('server')
      const { endpoint, output } = observed
      begin(observed)
      endpoint.sendPart(Opcode.text, part('a'), false)
      endpoint.send(Opcode.text, 'never')
      begin(observed, () => t.fail('never'))
      if (closing) endpoint.close(1000)
      observed.sent()
      end(observed)
      t.equal(observed.sent(), sent, `closing: ${closing}`)
      t.equal(endpoint.sendPart(Opcode.continuation, part('b'), true), false)
      endpoint.whenSent(5, () => t.fail('never'))
      t.strictSame([observed.sent(), output.promised], ['', 0])
    }
  }
})

t.test('a part with no message begun is not sent', async t => {
  const observed = new Observed('server')
  t.equal(observed.endpoint.sendPart(Opcode.text, part('a'), true), false)
  t.equal(observed.sent(), '')
})

t.test('a large part goes by reference where it is not masked, and stays as it is', async t => {
  for (const role of ROLES) {
    const observed = new Observed(role)
    begin(observed)
    const data = Buffer.alloc(70_000, 'a')
    observed.endpoint.sendPart(Opcode.binary, data, false)
    t.ok(data.equals(Buffer.alloc(70_000, 'a')))
    data.fill('b')
    const sent = Buffer.alloc(70_000, role === 'server' ? 'b' : 'a')
    t.ok(observed.sent() === asSentBy(role, [frame(BINARY_BEGIN, sent)]), role)
  }
})

t.test('two endpoints: what goes out in parts comes as one message, or in as many pieces', async t => {
  for (const role of ROLES) {
    for (const streaming of [false, true]) {
      const one = new Observed(role)
      const other = new Observed(role === 'server' ? 'client' : 'server')
      other.endpoint.streaming = streaming
      begin(one)
      const parts = ['H', 'é', '', '€']
      for (const [i, text] of parts.entries()) {
        one.endpoint.sendPart(i === 0 ? Opcode.text : Opcode.continuation, part(text), i === parts.length - 1)
      }
      exchange(one, other)
      const pieces = ['piece text 48', 'piece text c3a9', 'piece text e282ac', 'end text']
      t.strictSame(other.events, streaming ? pieces : ['text Hé€'])
    }
  }
})
