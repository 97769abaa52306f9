import t from 'tap'
import { Opcode } from '../../../lib/protocol/opcode.ts'
import { Violation } from '../../../lib/protocol/violation.ts'
import { FakeCompression } from '../../helpers/fake-codec.ts'
import { frame } from '../../helpers/frames.ts'
import { asSentTo, Observed, ROLES, WAYS } from '../../helpers/observed.ts'

const [TEXT, COMPRESSED, COMPRESSED_BEGIN, BEGIN, END, PING] = ['81', 'c1', '41', '01', '80', '89']
/** Nine bytes: too large to be decompressed at once by the fake. */
const LARGE = frame(COMPRESSED, 'abcdefghi')

/** An endpoint whose fake compression keeps a tally: it halves what is sent, and doubles what comes. */
function counting(role: 'server' | 'client', threshold = 4) {
  const tally = { sentPlain: 0, sentCompressed: 0, receivedPlain: 0, receivedCompressed: 0 }
  const compression = Object.assign(new FakeCompression(), { tally, threshold })
  const observed = new Observed(role, { compression, maxMessageBytes: 1000 })
  return { tally, compression, observed, endpoint: observed.endpoint }
}

t.test('payloads that came compressed count as they are and as they were: whole, in parts, and from elsewhere', async t => {
  for (const role of ROLES) {
    for (const way of WAYS) {
      const { tally, observed, compression, endpoint } = counting(role)
      observed.feed([frame(TEXT, 'plain'), frame(COMPRESSED, 'abc'), frame(COMPRESSED_BEGIN, 'a'), frame(END, 'b')], way)
      t.match(tally, { receivedPlain: 10, receivedCompressed: 5 }, `${role}, ${way}`)
      observed.feed([LARGE], way)
      t.match(tally, { receivedPlain: 10, receivedCompressed: 5 }, 'not yet')
      compression.decompressor.finish()
      t.strictSame(tally, { sentPlain: 0, sentCompressed: 0, receivedPlain: 28, receivedCompressed: 14 })
      endpoint.resume()
      observed.feed([LARGE], way)
      compression.decompressor.finish(new Violation('invalid-deflate'))
      t.match(tally, { receivedPlain: 28, receivedCompressed: 14 }, 'what could not be decompressed does not count')
    }
  }
})

t.test('what comes too late from elsewhere does not count', async t => {
  const { tally, observed, compression, endpoint } = counting('server')
  observed.feed([LARGE], WAYS[0])
  endpoint.transportEnded()
  compression.decompressor.finish()
  t.match(tally, { receivedPlain: 0, receivedCompressed: 0 })
})

t.test('payloads that are sent compressed count, and those that are sent as they are don’t', async t => {
  for (const role of ROLES) {
    const { tally, compression, endpoint } = counting(role)
    endpoint.send(Opcode.text, 'aaa')
    endpoint.send(Opcode.text, 'aaaaaa', false, false)
    t.match(tally, { sentPlain: 0, sentCompressed: 0 }, 'below the threshold, or told not to')
    endpoint.send(Opcode.text, 'aaaaaa')
    t.strictSame(tally, { sentPlain: 6, sentCompressed: 3, receivedPlain: 0, receivedCompressed: 0 })
    const { compressor } = compression
    const large = Buffer.alloc(compressor.atOnceUpTo + 2, 'a')
    endpoint.send(Opcode.binary, large)
    t.match(tally, { sentPlain: 6, sentCompressed: 3 }, 'not yet')
    compressor.finish()
    t.match(tally, { sentPlain: 6 + large.length, sentCompressed: 3 + large.length / 2 })
    endpoint.send(Opcode.binary, large)
    compressor.finish(undefined)
    endpoint.send(Opcode.binary, large)
    compressor.finish(Buffer.from(large))
    endpoint.send(Opcode.text, 'a', false, true)
    t.match(tally, { sentPlain: 6 + large.length, sentCompressed: 3 + large.length / 2 }, 'no smaller')
  }
})

t.test('bytes retained: of a message under way, what is not parsed, what is decompressed elsewhere, pings', async t => {
  for (const role of ROLES) {
    const { observed, compression, endpoint, observed: { output } } = counting(role)
    const feed = (...frames: string[]): void => observed.feed(frames, WAYS[0])
    const retained = (expected: number, why: string): void => void t.equal(endpoint.retained, expected, `${role}: ${why}`)
    retained(0, 'nothing')
    feed(frame(BEGIN, 'a'))
    retained(256, 'the buffer of a message')
    feed(frame(END, 'b'))
    retained(0, 'it is whole')
    const ping = asSentTo(role, [frame(PING, '12345')])
    observed.feedRaw(ping.slice(0, -2), WAYS[0])
    retained(4, 'a ping that is not whole')
    observed.feedRaw(ping.slice(-2), WAYS[0])
    retained(0, 'it is answered')
    output.blocked = true
    feed(frame(PING, '1234567'))
    retained(7, 'an answer that waits')
    output.blocked = false
    endpoint.outputUnblocked()
    retained(0, 'it is out')
    feed(LARGE)
    retained(9, 'the copy that is being decompressed')
    compression.decompressor.grow(70_000)
    retained(70_000, 'and what has been made of it')
    compression.decompressor.grow(9)
    retained(9, 'which was given up')
    compression.decompressor.finish()
    retained(18, 'what came of it')
    endpoint.resume()
    retained(0, 'it is handed over')
    endpoint.pause()
    const unread = asSentTo(role, [frame(TEXT, 'abc')])
    observed.feedRaw(unread, WAYS[0])
    retained(unread.length / 2, 'what a pause leaves unread')
    endpoint.resume()
    feed(LARGE)
    compression.decompressor.finish(new Violation('invalid-deflate'))
    retained(0, 'nothing came of it')
    endpoint.transportEnded()
    retained(0, 'the end')
  }
})
