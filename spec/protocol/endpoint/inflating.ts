import t from 'tap'
import { Endpoint } from '../../../lib/protocol/endpoint.ts'
import { Opcode } from '../../../lib/protocol/opcode.ts'
import { BufferedOutput } from '../../../lib/protocol/output.ts'
import { compressionOf, deflated, MODES } from '../../helpers/agreed.ts'
import { FakeCompression } from '../../helpers/fake-codec.ts'
import { bytes, closeFrame, frame, hex, masked } from '../../helpers/frames.ts'
import { bothWays, failure, Observed, sinkWith, type WireOptions } from '../../helpers/observed.ts'

const [TEXT, BINARY, PING, PONG] = ['81', '82', '89', '8a']
const [MIDDLE, END] = ['00', '80']
const [COMPRESSED_TEXT, COMPRESSED_BINARY, TEXT_BEGIN, BINARY_BEGIN] = ['c1', 'c2', '41', '42']
const shared: WireOptions = { compression: role => compressionOf(role) }
const dedicated: WireOptions = { compression: role => compressionOf(role, 'dedicated') }
const fake: WireOptions = { compression: () => new FakeCompression() }

t.test('RFC 7692, 7.2.3: the examples, as they stand there', async t => {
  const [hello, fragments] = ['c1 07 f2 48 cd c9 c9 07 00', ['41 03 f2 48 cd', '80 04 c9 c9 07 00']]
  const examples: [frames: string[], events: string[]][] = [
    [[hello], ['text Hello']],
    [fragments, ['text Hello']],
    [[hello, hello], ['text Hello', 'text Hello']],
    [['c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00'], ['text Hello']],
    [['c1 08 f3 48 cd c9 c9 07 00 00'], ['text Hello']],
    [['c1 0d f2 48 05 00 00 00 ff ff ca c9 c9 07 00'], ['text Hello']],
    [['c1 01 00'], ['text ']],
    [['c2 01 00', hello], ['binary ', 'text Hello']],
  ]
  for (const [frames, events] of examples) {
    for (const options of [shared, dedicated]) bothWays(t, frames, { events }, options)
  }
  const again = 'c1 05 f2 00 11 00 00'
  bothWays(t, [hello, again, again], { events: ['text Hello', 'text Hello', 'text Hello'] }, dedicated)
  bothWays(t, [hello, again], failure(1007, 'invalid-deflate', { events: ['text Hello'] }), shared)
})

t.test('RFC 7692, 6.1: RSV1 stands only on the first frame of a message, and only where it was agreed on', async t => {
  const reserved = failure(1002, 'reserved-bits')
  const hello = deflated('Hello')
  const begun = frame(TEXT_BEGIN, hello.subarray(0, 3))
  bothWays(t, [frame(COMPRESSED_TEXT, hello)], reserved)
  for (const rest of ['c0', '40']) {
    bothWays(t, [begun, frame(rest, hello.subarray(3))], reserved, shared)
    bothWays(t, [frame('01', 'a'), frame(rest, 'b')], reserved, shared)
    bothWays(t, [frame(rest)], reserved, shared)
  }
  for (const control of ['c8', 'c9', 'ca', 'e8']) bothWays(t, [frame(control)], reserved, shared)
  for (const bits of ['e1', 'd1', 'a1', '91', 'f2', '61']) bothWays(t, [frame(bits)], reserved, shared)
  bothWays(t, [frame('c3')], reserved, shared)
})

t.test('5.4: compressed fragments end before another message begins, with any bits', async t => {
  const begun = frame(TEXT_BEGIN, deflated('Hello').subarray(0, 3))
  for (const first of [TEXT, BINARY, COMPRESSED_TEXT, COMPRESSED_BINARY, TEXT_BEGIN, BINARY_BEGIN]) {
    for (const payload of ['', 'a']) {
      bothWays(t, [begun, frame(first, payload)], failure(1002, 'expected-continuation'), shared)
      bothWays(t, [frame('01', 'a'), frame(first, payload)], failure(1002, 'expected-continuation'), shared)
    }
  }
  bothWays(t, [frame(END)], failure(1002, 'unexpected-continuation'), shared)
})

t.test('RFC 7692, 6.1: a message compressed to fragments of every length, control frames in between', async t => {
  const message = deflated('Hé€😀'.repeat(3))
  const text = `text ${'Hé€😀'.repeat(3)}`
  for (let one = 0; one <= message.length; one++) {
    for (let two = one; two <= message.length; two += 5) {
      const [a, b, c] = [message.subarray(0, one), message.subarray(one, two), message.subarray(two)]
      const frames = [frame(TEXT_BEGIN, a), frame(PING, '1'), frame(MIDDLE, b), frame(PONG), frame(END, c)]
      bothWays(t, frames, { events: ['ping 31', 'pong ', text], sent: [frame(PONG, '1')] }, shared)
    }
  }
  const closed = { events: ['close 1000'], sent: [closeFrame(1000)] }
  const [one, two] = [frame(TEXT_BEGIN, message.subarray(0, 4)), frame(END, message.subarray(4))]
  bothWays(t, [one, closeFrame(1000), two], closed, shared)
})

t.test('RFC 7692, 6: messages that are not compressed come in between, and are in nobody\'s context', async t => {
  const [hello, again] = ['c1 07 f2 48 cd c9 c9 07 00', 'c1 05 f2 00 11 00 00']
  const plain = [frame(TEXT, 'plain'), frame('02', 'pl'), frame(END, 'ain')]
  const events = ['text Hello', 'text plain', 'binary 706c61696e', 'text Hello']
  bothWays(t, [hello, ...plain, again], { events }, dedicated)
  bothWays(t, [hello, ...plain, hello], { events }, shared)
})

t.test('RFC 7692, 7.2.2: what is not DEFLATE, is cut, or goes on behind its end: 1007', async t => {
  const invalid = failure(1007, 'invalid-deflate', { events: ['text a'] })
  const hello = deflated('Hello, hello, hello')
  for (const payload of [bytes('ff'), bytes(''), bytes('07'), hello.subarray(0, -3), Buffer.from('not compressed')]) {
    for (const options of [shared, dedicated]) {
      bothWays(t, [frame(TEXT, 'a'), frame(COMPRESSED_BINARY, payload), frame(TEXT, 'never')], invalid, options)
      bothWays(t, [frame(TEXT, 'a'), frame(BINARY_BEGIN, payload), frame(END), frame(TEXT, 'never')], invalid, options)
    }
  }
})

t.test('8.1: a text is UTF-8 once it is decompressed, not before; binary is anything', async t => {
  const bad = deflated(bytes('61 eda080'))
  const invalid = failure(1007, 'invalid-utf8')
  bothWays(t, [frame(COMPRESSED_TEXT, bad), frame(TEXT, 'never')], invalid, shared)
  bothWays(t, [frame(TEXT_BEGIN, bad.subarray(0, 3)), frame(END, bad.subarray(3))], invalid, shared)
  bothWays(t, [frame(COMPRESSED_TEXT, deflated(bytes('61 e282')))], invalid, shared)
  bothWays(t, [frame(COMPRESSED_BINARY, bad)], { events: ['binary 61eda080'] }, shared)
})

t.test('7.4.1: the limit is that of the message, decompressed', async t => {
  const limit = { ...shared, maxMessageBytes: 1000 }
  const tooBig = failure(1009, 'message-too-big')
  for (const options of [limit, { ...dedicated, maxMessageBytes: 1000 }]) {
    const [fits, over] = [deflated('a'.repeat(1000)), deflated('a'.repeat(1001))]
    const text = `text ${'a'.repeat(1000)}`
    bothWays(t, [frame(COMPRESSED_TEXT, fits), frame(COMPRESSED_TEXT, fits)], { events: [text, text] }, options)
    bothWays(t, [frame(COMPRESSED_TEXT, over), frame(TEXT, 'never')], tooBig, options)
    bothWays(t, [frame(TEXT_BEGIN, over.subarray(0, 2)), frame(END, over.subarray(2))], tooBig, options)
  }
  bothWays(t, [frame(COMPRESSED_TEXT, deflated('a'.repeat(10_000_000)))], tooBig, limit)
  const none = { ...shared, maxMessageBytes: 0 }
  bothWays(t, [frame(COMPRESSED_TEXT, bytes('00'))], { events: ['text '] }, none)
  bothWays(t, [frame(COMPRESSED_TEXT, deflated('a'))], tooBig, none)
})

t.test('7.4.1: compressed it may have an eighth and 1,024 bytes more; the header tells', async t => {
  const limit = { ...fake, maxMessageBytes: 800 }
  const most = 800 + 100 + 1024
  const tooBig = failure(1009, 'message-too-big')
  const header = (first: string, size: number): string => `${first} 7e ${size.toString(16).padStart(4, '0')}`
  bothWays(t, [header(COMPRESSED_BINARY, most)], { events: [] }, limit)
  bothWays(t, [header(COMPRESSED_BINARY, most + 1)], tooBig, limit)
  bothWays(t, [frame(COMPRESSED_BINARY, Buffer.alloc(most + 1))], tooBig, limit)
  bothWays(t, [frame(BINARY_BEGIN, Buffer.alloc(most)), frame(MIDDLE)], { events: [] }, limit)
  bothWays(t, [frame(BINARY_BEGIN, Buffer.alloc(most)), frame(MIDDLE, 'a')], tooBig, limit)
  bothWays(t, [frame(BINARY_BEGIN, Buffer.alloc(most)), '80 01'], tooBig, limit)
  // Decompressed elsewhere, whole: what has the limit's size at most is taken.
  bothWays(t, [frame(COMPRESSED_BINARY, Buffer.alloc(most))], { events: ['busy'] }, limit)
  bothWays(t, [frame(BINARY_BEGIN, Buffer.alloc(most)), frame(END)], { events: ['busy'] }, limit)
  bothWays(t, [header(BINARY, 801)], tooBig, limit)
})

t.test('7.4.1: no message within the limit is refused for growing, with the worst compressors there are', async t => {
  const noise = Buffer.from(Array.from({ length: 8000 }, (_, i) => (i * i * 31 + (i >> 3) * 17) & 0xff))
  const high = Buffer.alloc(8000, 0xff)
  // Each byte above 143 in nine bits, as a compressor does that knows only the fixed code (RFC 1951, section 3.2.6).
  const nine = fixedCode(high)
  t.ok(nine.length > 9000)
  for (const [message, compressed] of [[high, nine], [noise, deflated(noise, 0)]] as const) {
    const event = await new Promise<string>(resolve => {
      const observed = new Observed('client', { compression: compressionOf('client'), maxMessageBytes: 8000 })
      observed.hook = event => {
        if (event === 'ready') observed.endpoint.resume()
        if (event.startsWith('binary') || event.startsWith('close')) resolve(event)
      }
      observed.feed([frame(COMPRESSED_BINARY, compressed)])
    })
    t.ok(event === `binary ${hex(message)}`, event.slice(0, 60))
  }
})

t.test('a message is said to be lent where its memory is the codec\'s, and not where it is its own', async t => {
  for (const mode of MODES) {
    for (const [size, lent] of [[65_535, true], [65_536, false]] as const) {
      const seen: [lent: boolean, ascii: boolean][] = []
      const sink = sinkWith({ onMessage: (...call) => seen.push([call[5], call[4]]) })
      const compression = compressionOf('client', mode)
      const endpoint = new Endpoint(sink, new BufferedOutput(), { role: 'client', compression })
      endpoint.receive(bytes(frame(COMPRESSED_TEXT, deflated('a'.repeat(size)))))
      endpoint.receive(bytes(frame(TEXT, 'a')))
      t.strictSame(seen, [[lent, false], [false, false]], `${size} bytes, ${mode}`)
      endpoint.transportEnded()
    }
  }
})

t.test('what `receive` was given may be used again at once, also where the message came in pieces', async t => {
  for (const mode of MODES) {
    const observed = new Observed('server', { compression: compressionOf('server', mode) })
    const kept: Buffer[] = []
    const sink = sinkWith({ onMessage: (_, data, start, end) => kept.push(data.subarray(start, end)) })
    const endpoint = new Endpoint(sink, observed.output, { role: 'server', compression: compressionOf('server', mode) })
    for (const letter of ['a', 'b']) {
      const chunk = bytes(masked(frame(COMPRESSED_BINARY, deflated(letter.repeat(70_000)))))
      endpoint.receive(chunk)
      chunk.fill(0xaa)
    }
    for (const [i, letter] of ['a', 'b'].entries()) t.ok(kept[i]?.equals(Buffer.alloc(70_000, letter)), mode)
    endpoint.transportEnded()
  }
})

t.test('paused, ended and thrown inside the call of a message that was compressed: as with any other', async t => {
  const hello = frame(COMPRESSED_TEXT, deflated('Hello'))
  const pausing = new Observed('server', { compression: compressionOf('server') })
  pausing.hook = () => pausing.endpoint.pause()
  pausing.feed([hello, hello])
  t.strictSame(pausing.events, ['text Hello'])
  pausing.endpoint.resume()
  t.strictSame(pausing.events, ['text Hello', 'text Hello'])
  const failing = new Observed('server', { compression: compressionOf('server') })
  failing.hook = event => event === 'text Hello' && failing.endpoint.fail(1008, 'no')
  failing.feed([hello, hello])
  t.strictSame(failing.events, ['text Hello', 'close 1008 no'])
  const throwing = new Observed('server', { compression: compressionOf('server') })
  const error = new Error('from the sink')
  throwing.hook = event => {
    if (event === 'text Hello') throw error
  }
  throwing.feed([hello])
  t.equal(throwing.cause, error)
  t.strictSame(throwing.events, ['text Hello', 'close 1011'])
})

t.test('both codecs are given up with the connection, once, however it ends', async t => {
  const ends: ((observed: Observed) => void)[] = [
    ({ endpoint }) => endpoint.transportEnded(),
    ({ endpoint }) => endpoint.fail(1008, ''),
    observed => observed.feed([closeFrame(1000)]),
    observed => observed.feed(['8300']),
  ]
  for (const end of ends) {
    const compression = new FakeCompression()
    const observed = new Observed('client', { compression })
    const { compressor, decompressor } = compression
    observed.endpoint.close(1000)
    t.strictSame([compressor.closed, decompressor.closed], [0, 0], 'not while the peer may still send')
    end(observed)
    observed.endpoint.transportEnded()
    t.strictSame([compressor.closed, decompressor.closed], [1, 1])
  }
  const { decompressor } = new FakeCompression()
  const observed = new Observed('client', { compression: { compressor: undefined, decompressor, threshold: 0 } })
  t.equal(observed.endpoint.send(Opcode.text, 'aa', false, true), true)
  t.equal(observed.sent(), masked(frame(TEXT, 'aa')), 'nothing to compress with')
  observed.endpoint.transportEnded()
  t.equal(decompressor.closed, 1)
})

/** One block of the fixed Huffman code with nothing but literals above 143, and the tail of an empty stored block. */
function fixedCode(data: Uint8Array): Buffer {
  const bits = [0, 1, 0]
  for (const byte of data) bits.push(...(0b1_1001_0000 + byte - 144).toString(2).split('').map(Number))
  bits.push(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
  while (bits.length % 8 !== 0) bits.push(0)
  const result = Buffer.alloc(bits.length / 8)
  for (const [i, bit] of bits.entries()) result[i >> 3] |= bit << (i & 7)
  return result
}
