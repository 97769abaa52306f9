import t from 'tap'
import { Violation } from '../../../lib/protocol/violation.ts'
import { FakeCompression } from '../../helpers/fake-codec.ts'
import { bytes, closeFrame, frame, masked } from '../../helpers/frames.ts'
import { Observed } from '../../helpers/observed.ts'

const [TEXT, BINARY, PING] = ['81', '82', '89']
const [BINARY_BEGIN, MIDDLE, END] = ['02', '00', '80']
const zeros = (length: number): Buffer => Buffer.alloc(length)

t.test('nothing is retained of whole frames', async t => {
  const observed = new Observed('server')
  t.equal(observed.endpoint.retained, 0)
  observed.feed([frame(TEXT, 'a'), frame(BINARY, zeros(300)), frame(PING, 'b')])
  t.equal(observed.endpoint.retained, 0)
})

t.test('a message under way: the memory that its buffer takes', async t => {
  const observed = new Observed('server')
  observed.feed([frame(BINARY_BEGIN, zeros(1))])
  t.equal(observed.endpoint.retained, 256)
  observed.feed([frame(MIDDLE, zeros(300))])
  t.equal(observed.endpoint.retained, 4 * 301)
  observed.feed([frame(END)])
  t.equal(observed.endpoint.retained, 0)
})

t.test('a message that goes on piece by piece is not retained', async t => {
  const observed = new Observed('server')
  observed.endpoint.streaming = true
  observed.feed([frame(BINARY_BEGIN, zeros(500))])
  t.equal(observed.endpoint.retained, 0)
})

t.test('a control frame that has come in part', async t => {
  const observed = new Observed('server')
  const ping = masked(frame(PING, 'abcdef'))
  observed.feedRaw(ping.slice(0, -4))
  t.equal(observed.endpoint.retained, 4)
  observed.feedRaw(ping.slice(-4))
  t.equal(observed.endpoint.retained, 0)
})

t.test('a ping whose answer has to wait', async t => {
  const observed = new Observed('server')
  observed.output.blocked = true
  observed.feed([frame(PING, 'abc')])
  t.equal(observed.endpoint.retained, 3)
  observed.endpoint.outputUnblocked()
  t.equal(observed.endpoint.retained, 0)
})

t.test('input that a pause leaves unread', async t => {
  const { endpoint } = new Observed('server')
  endpoint.pause()
  const wire = bytes(masked(frame(TEXT, 'hello')))
  endpoint.receive(wire.subarray(0, 5))
  t.equal(endpoint.retained, 5)
  endpoint.receive(wire.subarray(5))
  t.equal(endpoint.retained, wire.length)
  endpoint.resume()
  t.equal(endpoint.retained, 0)
})

t.test('a message that is being decompressed: as it came, then what became of it', async t => {
  const compression = new FakeCompression()
  const observed = new Observed('server', { compression })
  const { endpoint } = observed
  observed.feed([frame('c2', 'abcdefghi')])
  t.equal(endpoint.retained, 9)
  compression.decompressor.finish()
  t.equal(endpoint.retained, 18)
  endpoint.resume()
  t.equal(endpoint.retained, 0)
  observed.feed([frame('c2', 'abcdefghi')])
  compression.decompressor.finish(new Violation('invalid-deflate'))
  t.equal(endpoint.retained, 0)
})

t.test('nothing is retained once it is over', async t => {
  const ways: ((observed: Observed) => void)[] = [
    ({ endpoint }) => endpoint.transportEnded(),
    ({ endpoint }) => endpoint.fail(1011, ''),
    observed => observed.feed([closeFrame(1000)]),
    observed => observed.feedRaw('ff80'),
  ]
  for (const end of ways) {
    const observed = new Observed('server')
    observed.output.blocked = true
    observed.feed([frame(PING, 'abc'), frame(BINARY_BEGIN, zeros(300))])
    t.ok(observed.endpoint.retained > 300)
    end(observed)
    t.equal(observed.endpoint.retained, 0)
  }
})
