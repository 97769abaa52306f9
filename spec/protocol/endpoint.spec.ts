import t from 'tap'
import { DEFAULT_MAX_MESSAGE_BYTES, Endpoint } from '../../lib/protocol/endpoint.ts'
import { Opcode } from '../../lib/protocol/opcode.ts'
import { BufferedOutput } from '../../lib/protocol/output.ts'
import { EndpointState } from '../../lib/protocol/states.ts'
import type { ViolationName } from '../../lib/protocol/violation.ts'
import { bytes, closeFrame, frame, hex, KEY, masked } from '../helpers/frames.ts'
import { retainedBy } from '../helpers/memory.ts'
import { asSentBy, bothWays, exchange, failure, Observed, ROLES, sinkWith, WAYS } from '../helpers/observed.ts'
// What it does besides plain messages, each in a file that can be read on its own.
import './endpoint/counting.ts'
import './endpoint/inflating.ts'
import './endpoint/inflating-later.ts'
import './endpoint/deflating.ts'
import './endpoint/deflating-later.ts'
import './endpoint/parts.ts'
import './endpoint/pieces.ts'
import './endpoint/retaining.ts'
import './endpoint/retained.ts'
import './endpoint/late.ts'
import './endpoint/talk.ts'

const [TEXT, BINARY, PING, PONG] = ['81', '82', '89', '8a']
const [TEXT_BEGIN, BINARY_BEGIN, MIDDLE, END] = ['01', '02', '00', '80']
const GOODBYE = closeFrame(1000)
const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => i * 7))

// Section 5.1 to 5.3: frames, masks and lengths

t.test('5.7: the examples, as they stand in the RFC', async t => {
  const [data256, data64K] = [hex(noise(256)), hex(noise(65_536))]
  const examples: [role: 'server' | 'client', wire: string, events: string[], sent: string][] = [
    ['client', '81 05 48 65 6c 6c 6f', ['text Hello'], ''],
    ['server', '81 85 37 fa 21 3d 7f 9f 4d 51 58', ['text Hello'], ''],
    ['client', '01 03 48 65 6c 80 02 6c 6f', ['text Hello'], ''],
    ['client', '89 05 48 65 6c 6c 6f', ['ping 48656c6c6f'], '8a 85 37 fa 21 3d 7f 9f 4d 51 58'],
    ['server', '8a 85 37 fa 21 3d 7f 9f 4d 51 58', ['pong 48656c6c6f'], ''],
    ['client', `82 7e 01 00 ${data256}`, [`binary ${data256}`], ''],
    ['client', `82 7f 00 00 00 00 00 01 00 00 ${data64K}`, [`binary ${data64K}`], ''],
  ]
  for (const [role, wire, events, sent] of examples) {
    for (const way of WAYS) {
      const observed = new Observed(role)
      observed.feedRaw(wire, way)
      const expected = [events, sent.replaceAll(' ', '')]
      t.strictSame([observed.events, observed.sent()], expected, `${wire.slice(0, 20)}, ${way}`)
    }
  }
})

t.test('5.1: a frame from a client without mask, and one from a server with mask, fail the connection', async t => {
  const hello = frame(TEXT, 'Hello')
  for (const way of WAYS) {
    const server = new Observed('server')
    server.feedRaw(hello + masked(hello), way)
    const unmasked = failure(1002, 'unmasked-frame')
    t.strictSame([server.events, server.sent()], [unmasked.events, asSentBy('server', unmasked.sent!)])
    const client = new Observed('client')
    client.feedRaw(masked(hello) + hello, way)
    const wasMasked = failure(1002, 'masked-frame')
    t.strictSame([client.events, client.sent()], [wasMasked.events, asSentBy('client', wasMasked.sent!)])
  }
})

t.test('5.2: lengths of 7, 16 and 64 bits, and their borders', async t => {
  for (const [length, header] of [
    [0, '8200'],
    [125, '827d'],
    [126, '827e007e'],
    [127, '827e007f'],
    [65_535, '827effff'],
    [65_536, '827f0000000000010000'],
  ] as const) {
    const payload = hex(noise(length))
    bothWays(t, [header + payload, frame(TEXT, 'next')], { events: [`binary ${payload}`, 'text next'] })
  }
})

t.test('5.2, 5.5: headers that break a rule fail at once, whatever follows', async t => {
  const rows: [header: string, code: number, violation: ViolationName][] = [
    ['81 7e 007d', 1002, 'length-not-minimal'],
    ['82 7f 000000000000ffff', 1002, 'length-not-minimal'],
    ['82 7f 8000000000000000', 1002, 'length-top-bit'],
    ['82 7f 7fffffffffffffff', 1009, 'length-unsafe'],
    ['82 7f 0020000000000000', 1009, 'length-unsafe'],
    ['82 7f 001fffffffffffff', 1009, 'message-too-big'],
    ...['3', '4', '5', '6', '7', 'b', 'c', 'd', 'e', 'f'].flatMap(opcode => [
      [`8${opcode} 00`, 1002, 'reserved-opcode'] as [string, number, ViolationName],
      [`0${opcode} 00`, 1002, 'reserved-opcode'] as [string, number, ViolationName],
    ]),
    ...['c1', 'a1', '91', 'f1', 'c2', '41', 'c8', 'a9', '9a', 'c9', 'f0'].map(
      first => [`${first} 00`, 1002, 'reserved-bits'] as [string, number, ViolationName]
    ),
    ...['08', '09', '0a'].map(first => [`${first} 00`, 1002, 'fragmented-control'] as [string, number, ViolationName]),
    ...['88', '89', '8a'].map(first => [`${first} 7e 007e`, 1002, 'long-control'] as [string, number, ViolationName]),
  ]
  for (const [header, code, violation] of rows) {
    const failed = failure(code, violation, { events: ['text first'] })
    bothWays(t, [frame(TEXT, 'first'), header, frame(TEXT, 'never')], failed)
  }
})

t.test('5.2: 2^53-1 bytes are refused by the limit alone, and 2^53 by themselves', async t => {
  bothWays(t, ['82 7f 001fffffffffffff 0102'], { events: [] }, { maxMessageBytes: Infinity })
  bothWays(t, ['82 7f 0020000000000000'], failure(1009, 'length-unsafe'), { maxMessageBytes: Infinity })
})

// Section 5.4: fragmentation

t.test('5.4: fragments make one message', async t => {
  bothWays(t, [frame(TEXT_BEGIN, 'Hel'), frame(END, 'lo'), frame(TEXT, 'next')], {
    events: ['text Hello', 'text next'],
  })
  bothWays(t, [frame(BINARY_BEGIN, 'a'), frame(MIDDLE, 'b'), frame(MIDDLE, 'c'), frame(END, 'd')], {
    events: ['binary 61626364'],
  })
  const many = Array.from({ length: 1000 }, () => frame(MIDDLE, 'x'))
  bothWays(t, [frame(TEXT_BEGIN), ...many, frame(END)], { events: [`text ${'x'.repeat(1000)}`] })
})

t.test('5.4, 5.6: messages and fragments may be empty', async t => {
  bothWays(t, [frame(TEXT), frame(BINARY)], { events: ['text ', 'binary '] })
  bothWays(t, [frame(TEXT_BEGIN), frame(MIDDLE), frame(END)], { events: ['text '] })
  bothWays(t, [frame(BINARY_BEGIN), frame(END)], { events: ['binary '] })
  bothWays(t, [frame(TEXT_BEGIN), frame(MIDDLE, 'a'), frame(MIDDLE), frame(END)], { events: ['text a'] })
})

t.test('5.4: a continuation needs a message, and a message its end', async t => {
  const begun = frame(TEXT_BEGIN, 'a')
  for (const first of [MIDDLE, END]) {
    for (const payload of ['', 'a']) {
      bothWays(t, [frame(first, payload)], failure(1002, 'unexpected-continuation'))
      const after = failure(1002, 'unexpected-continuation', { events: ['text ab'] })
      bothWays(t, [begun, frame(END, 'b'), frame(first, payload)], after)
    }
  }
  for (const first of [TEXT, BINARY, TEXT_BEGIN, BINARY_BEGIN]) {
    for (const payload of ['', 'a']) {
      bothWays(t, [begun, frame(first, payload)], failure(1002, 'expected-continuation'))
    }
  }
})

t.test('5.4: control frames come in between fragments, and are dealt with at once', async t => {
  const [one, two] = [frame(TEXT_BEGIN, 'Hel'), frame(END, 'lo')]
  const pong = frame(PONG, '1')
  bothWays(t, [one, frame(PING, '1'), two], { events: ['ping 31', 'text Hello'], sent: [pong] })
  bothWays(t, [one, frame(PING), two], { events: ['ping ', 'text Hello'], sent: [frame(PONG)] })
  bothWays(t, [one, pong, frame(PING, '1'), two], { events: ['pong 31', 'ping 31', 'text Hello'], sent: [pong] })
  bothWays(t, [one, GOODBYE, two], { events: ['close 1000'], sent: [GOODBYE] })
})

t.test('5.4: a control frame that is itself cut, between fragments that are cut', async t => {
  const [ping, pong] = [frame(PING, 'abcd'), frame(PONG, 'efgh')]
  const frames = [frame(TEXT_BEGIN, 'aé'), ping, frame(MIDDLE, '€'), pong, frame(END, '😀')]
  for (const role of ROLES) {
    const wire = asSentBy(role === 'server' ? 'client' : 'server', frames)
    const cuts = Array.from({ length: wire.length / 2 }, (_, i) => 2 * i)
    const wrong = cuts.filter(cut => {
      const observed = new Observed(role)
      for (const part of [wire.slice(0, cut), wire.slice(cut, cut + 6), wire.slice(cut + 6)]) observed.feedRaw(part)
      return observed.events.join() !== 'ping 61626364,pong 65666768,text aé€😀'
    })
    t.strictSame(wrong, [], role)
  }
})

// Section 5.5: control frames

t.test('5.5.2, 5.5.3: each ping is answered with its payload; a pong is not answered', async t => {
  for (const payload of ['', 'a', 'x'.repeat(125)]) {
    const [ping, pong] = [frame(PING, payload), frame(PONG, payload)]
    const data = hex(Buffer.from(payload))
    bothWays(t, [ping, ping], { events: [`ping ${data}`, `ping ${data}`], sent: [pong, pong] })
    bothWays(t, [pong, pong], { events: [`pong ${data}`, `pong ${data}`] })
  }
})

t.test('5.5.3: while output is blocked only the newest ping is answered, once it has gone', async t => {
  for (const role of ROLES) {
    const observed = new Observed(role)
    observed.output.blocked = true
    observed.feed([frame(PING, 'a'), frame(PING, 'b'), frame(PING, 'c')])
    t.strictSame(observed.events, ['ping 61', 'ping 62', 'ping 63'])
    t.equal(observed.sent(), '')
    observed.endpoint.outputUnblocked()
    t.equal(observed.sent(), asSentBy(role, [frame(PONG, 'c')]))
    observed.endpoint.outputUnblocked()
    t.equal(observed.sent(), '', 'once')
  }
})

t.test('5.5.3: a ping that is answered at once makes up for those before', async t => {
  const observed = new Observed('server')
  observed.output.blocked = true
  observed.feed([frame(PING, 'a')])
  observed.output.blocked = false
  observed.feed([frame(PING, 'b')])
  observed.endpoint.outputUnblocked()
  t.equal(observed.sent(), frame(PONG, 'b'))
})

t.test('5.5.1, 5.5.2: a pong that is owed goes before the close frame, whoever closes', async t => {
  const pong = frame(PONG, 'a')
  const endings: [name: string, end: (observed: Observed) => void, close: string][] = [
    ['we close', ({ endpoint }) => endpoint.close(1000), GOODBYE],
    ['we fail', ({ endpoint }) => endpoint.fail(1008, 'no'), closeFrame(1008, 'no')],
    ['the peer closes', observed => observed.feed([GOODBYE]), GOODBYE],
    ['the peer errs', observed => observed.feed(['8300']), failure(1002, 'reserved-opcode').sent![0]],
  ]
  for (const [name, end, close] of endings) {
    const observed = new Observed('server')
    observed.output.blocked = true
    observed.feed([frame(PING, 'a')])
    end(observed)
    observed.endpoint.outputUnblocked()
    t.equal(observed.sent(), pong + close, name)
  }
})

t.test('5.5.2: a ping is answered until a close frame has come, also after ours has gone', async t => {
  for (const role of ROLES) {
    const observed = new Observed(role)
    observed.endpoint.close(1000)
    observed.sent()
    observed.feed([frame(PING, 'a'), GOODBYE, frame(PING, 'b')])
    t.strictSame(observed.events, ['ping 61', 'close 1000'], role)
    t.equal(observed.sent(), asSentBy(role, [frame(PONG, 'a')]), role)
  }
})

t.test('5.5.2, 5.5.3: pings and pongs of our own', async t => {
  for (const role of ROLES) {
    const observed = new Observed(role)
    t.equal(observed.endpoint.ping(Buffer.from('a')), true)
    t.equal(observed.endpoint.pong(new Uint8Array(125)), true)
    t.equal(observed.endpoint.ping(new Uint8Array(0)), true)
    t.equal(observed.sent(), asSentBy(role, [frame(PING, 'a'), frame(PONG, Buffer.alloc(125)), frame(PING)]))
  }
})

t.test('5.5.1, 7.1.5: a close frame is answered with its code and reason, and says why it came', async t => {
  const rows: [frame: string, event: string, answer: string][] = [
    ['88 00', 'close 1005', '8800'],
    ['88 02 03e8', 'close 1000', '880203e8'],
    ['88 05 03e9 627965', 'close 1001 bye', '880503e9627965'],
    ['88 05 0fa0 e282ac', 'close 4000 €', '88050fa0e282ac'],
    [closeFrame(1000, 'r'.repeat(123)), `close 1000 ${'r'.repeat(123)}`, closeFrame(1000, 'r'.repeat(123))],
  ]
  for (const [frame, event, answer] of rows) bothWays(t, [frame], { events: [event], sent: [answer] })
})

t.test('5.5.1: close frames that break a rule', async t => {
  bothWays(t, ['88 01 03'], failure(1002, 'close-payload-size'))
  for (const reason of ['ff', 'c080', 'eda080', 'f4908080', 'e282', '61 80']) {
    const payload = bytes(`03e8 ${reason}`)
    bothWays(t, [frame('88', payload)], failure(1007, 'close-reason-utf8'))
  }
})

t.test('7.4: the codes that may come, and those that may not', async t => {
  const may = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
  const mayNot = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
  for (const code of may) bothWays(t, [closeFrame(code)], { events: [`close ${code}`], sent: [closeFrame(code)] })
  for (const code of mayNot) bothWays(t, [closeFrame(code)], failure(1002, 'close-code'))
})

// Section 5.6 and 8.1: text

t.test('8.1: text cut at every two places, in fragments', async t => {
  const text = Buffer.from('κé€😀a')
  for (let one = 0; one <= text.length; one++) {
    for (let two = one; two <= text.length; two++) {
      const [a, b, c] = [text.subarray(0, one), text.subarray(one, two), text.subarray(two)]
      bothWays(t, [frame(TEXT_BEGIN, a), frame(MIDDLE, b), frame(END, c)], { events: ['text κé€😀a'] })
    }
  }
})

t.test('8.1: what is not UTF-8 fails, in one frame, in fragments and in reads', async t => {
  const overlong = ['c080', 'c1bf', 'e09fbf', 'f08fbfbf']
  const surrogates = ['eda080', 'edbfbf']
  const tooHigh = ['f4908080', 'f5808080']
  const cutOff = ['c3', 'e282', 'f09f98']
  for (const bad of ['ff', '80', ...overlong, ...surrogates, ...tooHigh, ...cutOff]) {
    const payload = bytes(`61${bad}`)
    bothWays(t, [frame(TEXT, payload), frame(TEXT, 'never')], failure(1007, 'invalid-utf8'))
    for (let cut = 0; cut <= payload.length; cut++) {
      const fragments = [frame(TEXT_BEGIN, payload.subarray(0, cut)), frame(END, payload.subarray(cut))]
      bothWays(t, [...fragments, frame(TEXT, 'never')], failure(1007, 'invalid-utf8'))
    }
    bothWays(t, [frame(BINARY, payload)], { events: [`binary ${hex(payload)}`] })
  }
})

t.test('8.1: the first bad byte fails the connection, before the frame or the message is complete', async t => {
  const failed = failure(1007, 'invalid-utf8')
  bothWays(t, ['81 06 f490'], failed)
  bothWays(t, ['81 7e 1000 61 eda0'], failed)
  bothWays(t, ['01 01 f4', '00 7e 1000 90'], failed)
  bothWays(t, [frame(TEXT_BEGIN, bytes('f490'))], failed)
  bothWays(t, [frame(TEXT_BEGIN, bytes('f4')), frame(MIDDLE), frame(MIDDLE, 'a')], failed)
  bothWays(t, ['81 06 f48f'], { events: [] })
  bothWays(t, [frame(TEXT_BEGIN, bytes('e282'))], { events: [] })
  const long = `81 7e 1000 ${'61'.repeat(200)}`
  bothWays(t, [long + 'ff'], failed)
  bothWays(t, [long + 'f48fbf'], { events: [] })
})

t.test('8.1: the hint that a text is ASCII comes where masked bytes have shown it', async t => {
  const hints: boolean[] = []
  for (const frames of [[frame(TEXT, 'abc')], [frame(TEXT, 'é')], [frame(TEXT_BEGIN, 'a'), frame(END, 'b')]]) {
    const sink = sinkWith({ onMessage: (...call) => hints.push(call[4]) })
    const endpoint = new Endpoint(sink, new BufferedOutput(), { role: 'server' })
    endpoint.receive(bytes(frames.map(frame => masked(frame)).join('')))
  }
  t.strictSame(hints, [true, false, true])
})

// Section 7: closing

t.test('what the caller must not close or ping with is thrown as well where nothing would be sent', async t => {
  const { endpoint } = new Observed('server')
  endpoint.transportEnded()
  t.throws(() => endpoint.close(1005), { code: 'invalid-argument' })
  t.throws(() => endpoint.ping(noise(126)), { code: 'invalid-argument' })
})

t.test('7.1.2: the closing handshake that we begin', async t => {
  for (const role of ROLES) {
    for (const way of WAYS) {
      const observed = new Observed(role)
      t.equal(observed.endpoint.state, EndpointState.open)
      observed.endpoint.close(1001, 'bye')
      t.equal(observed.endpoint.state, EndpointState.closeSent)
      t.equal(observed.sent(), asSentBy(role, [closeFrame(1001, 'bye')]))
      t.strictSame(observed.events, [], 'not over before the answer')
      observed.feed([frame(TEXT, 'late'), closeFrame(1001), frame(TEXT, 'never')], way)
      t.strictSame(observed.events, ['text late', 'close 1001'], 'what was under way still counts')
      t.equal(observed.sent(), '', 'no second close frame')
      t.equal(observed.endpoint.state, EndpointState.closed)
    }
  }
})

t.test('7.1.2: the closing handshake that the peer begins', async t => {
  const frames = [frame(TEXT, 'last'), closeFrame(4000, 'bye'), frame(TEXT, 'never'), frame(PING, 'a'), GOODBYE, '8300']
  bothWays(t, frames, { events: ['text last', 'close 4000 bye'], sent: [closeFrame(4000, 'bye')] })
})

t.test('5.5.1: close without a code', async t => {
  for (const role of ROLES) {
    const observed = new Observed(role)
    observed.endpoint.close()
    t.equal(observed.sent(), asSentBy(role, ['8800']))
  }
})

t.test('7.1.2: both close at once: each gets the code of the other', async t => {
  for (const way of WAYS) {
    const [server, client] = [new Observed('server'), new Observed('client')]
    server.endpoint.close(1001, 'restart')
    client.endpoint.close(1000, 'done')
    exchange(server, client, way)
    t.strictSame([server.events, client.events], [['close 1000 done'], ['close 1001 restart']])
  }
})

t.test('7.1.2: closing again does nothing, before the answer and after it', async t => {
  const observed = new Observed('server')
  observed.endpoint.close(1000)
  observed.endpoint.close(1001)
  t.equal(observed.sent(), GOODBYE)
  observed.feed([GOODBYE, GOODBYE])
  observed.endpoint.close(1000)
  observed.endpoint.fail(1008, '')
  observed.endpoint.transportEnded()
  t.strictSame(observed.events, ['close 1000'])
  t.equal(observed.sent(), '')
  t.equal(observed.endpoint.state, EndpointState.closed)
})

t.test('7.1.5: where the transport ends first, it is 1006, once, and nothing is sent', async t => {
  for (const closing of [false, true]) {
    const observed = new Observed('server')
    observed.feed(['01 02 61'])
    if (closing) observed.endpoint.close(1000)
    observed.sent()
    observed.endpoint.transportEnded()
    observed.endpoint.transportEnded()
    observed.feed([frame(TEXT, 'never')])
    t.strictSame(observed.events, ['close 1006'])
    t.equal(observed.sent(), '')
  }
})

t.test('7.1.7: failing sends a close frame where none is out, and nothing is read any more', async t => {
  for (const closing of [false, true]) {
    const observed = new Observed('server')
    if (closing) observed.endpoint.close(1000)
    observed.sent()
    observed.endpoint.fail(1008, 'no')
    t.equal(observed.sent(), closing ? '' : closeFrame(1008, 'no'))
    observed.feed([frame(TEXT, 'never')])
    t.strictSame(observed.events, ['close 1008 no'])
  }
})

t.test('7.1.7: a peer that errs after our close frame gets no second one', async t => {
  const observed = new Observed('server')
  observed.endpoint.close(1000)
  observed.sent()
  observed.feed(['8300'])
  t.strictSame(observed.events, failure(1002, 'reserved-opcode').events)
  t.equal(observed.sent(), '')
})

t.test('5.5.1: after our close frame, and after the end, send says no and writes nothing', async t => {
  const ends: ((observed: Observed) => void)[] = [
    ({ endpoint }) => endpoint.close(1000),
    ({ endpoint }) => endpoint.transportEnded(),
    observed => observed.feed([GOODBYE]),
    observed => observed.feed(['8300']),
  ]
  for (const end of ends) {
    const observed = new Observed('server')
    end(observed)
    observed.sent()
    const { endpoint } = observed
    t.equal(endpoint.send(Opcode.text, 'a'), false)
    t.equal(endpoint.send(Opcode.binary, noise(20_000)), false)
    t.equal(endpoint.ping(noise(1)), false)
    t.equal(endpoint.pong(noise(1)), false)
    t.equal(observed.sent(), '')
  }
})

// Section 7.4.1 (1009) and 10.4: limits

t.test('7.4.1: as many bytes as the limit pass, one more does not', async t => {
  const limit = { maxMessageBytes: 5 }
  const tooBig = failure(1009, 'message-too-big')
  for (const [whole, begin] of [[TEXT, TEXT_BEGIN], [BINARY, BINARY_BEGIN]] as const) {
    const event = whole === TEXT ? 'text aaaaa' : 'binary 6161616161'
    bothWays(t, [frame(whole, 'aaaaa'), frame(whole, 'aaaaa')], { events: [event, event] }, limit)
    const pinged = { events: ['ping ', event], sent: [frame(PONG)] }
    bothWays(t, [frame(begin, 'aaa'), frame(PING), frame(END, 'aa')], pinged, limit)
    bothWays(t, [frame(whole, 'aaaaaa')], tooBig, limit)
    bothWays(t, [frame(begin, 'aaaaaa')], tooBig, limit)
    bothWays(t, [frame(begin, 'aaa'), frame(END, 'aaa')], tooBig, limit)
    bothWays(t, [frame(begin, 'aaaaa'), frame(MIDDLE), frame(MIDDLE, 'a')], tooBig, limit)
  }
  bothWays(t, [frame(PING, 'aaaaaa')], { events: ['ping 616161616161'], sent: [frame(PONG, 'aaaaaa')] }, limit)
  const afterEmpty = failure(1009, 'message-too-big', { events: ['text '] })
  bothWays(t, [frame(TEXT), frame(TEXT, 'a')], afterEmpty, { maxMessageBytes: 0 })
})

t.test('7.4.1: the header alone is refused', async t => {
  const limit = { maxMessageBytes: 5 }
  const tooBig = failure(1009, 'message-too-big')
  for (const header of ['81 06', '02 06', '82 7e 007e', '81 7f 0000000000010000']) bothWays(t, [header], tooBig, limit)
  bothWays(t, [frame(TEXT_BEGIN, 'aaa'), '80 03'], tooBig, limit)
  bothWays(t, [frame(TEXT_BEGIN, 'aaa'), '80 02'], { events: [] }, limit)
  bothWays(t, ['81 05'], { events: [] }, limit)
})

t.test('7.4.1: the default is 16 MiB', async t => {
  t.equal(DEFAULT_MAX_MESSAGE_BYTES, 16 * 1024 * 1024)
  bothWays(t, ['82 7f 0000000001000000 00'], { events: [] })
  bothWays(t, ['82 7f 0000000001000001'], failure(1009, 'message-too-big'))
  const unset = new Observed('server', { maxMessageBytes: undefined })
  unset.feed(['82 7f 0000000001000001'])
  t.equal(unset.endpoint.state, EndpointState.closed)
})

t.test('10.4: a length that is announced takes no memory', async t => {
  for (const header of ['82 7f 0000000001000000', '01 7f 0000000000ffffff 61', '82 7f 001fffffffffffff']) {
    const retained = retainedBy(() =>
      Array.from({ length: 1000 }, () => {
        const observed = new Observed('client')
        observed.feed([header])
        return observed.endpoint
      })
    )
    t.ok(retained < 8_000_000, `${retained} bytes for 1,000 endpoints`)
  }
})

t.test('10.4: a last frame is trusted with what the last whole message had; fragments that may go on are not', async t => {
  const size = 400_000
  const announced = `${(0x100000000 + size).toString(16).slice(1)}`
  const whole = Buffer.concat([bytes(`82 7f 00000000 ${announced}`), noise(size)])
  const retained = (before: readonly Buffer[], begin: string): number =>
    retainedBy(() => {
      const observed = new Observed('client')
      for (const frame of before) {
        observed.endpoint.receive(Buffer.from(frame.subarray(0, 1000)))
        observed.endpoint.receive(Buffer.from(frame.subarray(1000)))
      }
      observed.events.length = 0
      observed.endpoint.receive(bytes(begin))
      return observed.endpoint
    })
  const last = `82 7f 00000000 ${announced} 61`
  const first = `02 7f 00000000 ${announced} 61`
  const trusted = retained([whole], last)
  t.ok(trusted > (3 / 4) * size, `trusted: ${trusted}`)
  t.ok(retained([], last) < size / 2, 'not before')
  t.ok(retained([whole], first) < size / 2, 'not for a message that may go on')
})

t.test('10.4: 100,000 fragments without bytes take no memory, and hinder nothing', async t => {
  const observed = new Observed('client')
  const fragments = Array.from({ length: 1000 }, () => frame(MIDDLE))
  observed.feed([frame(TEXT_BEGIN, 'a'), ...fragments])
  const retained = retainedBy(() => {
    for (let i = 0; i < 100; i++) observed.feed(fragments)
    return observed
  })
  t.ok(retained < 800_000, `${retained} bytes`)
  observed.feed([frame(END, 'b')])
  t.strictSame(observed.events, ['text ab'])
})

t.test('7.1.7, 10.4: what comes after the end is thrown away, and what was begun or unread as well', async t => {
  const chunk = Buffer.alloc(1_000_000)
  const begin = Buffer.concat([bytes('82 7f 0000000001000000'), chunk])
  const retained = retainedBy(() => {
    const { endpoint } = new Observed('client')
    endpoint.receive(begin)
    endpoint.pause()
    endpoint.receive(chunk)
    endpoint.fail(1008, '')
    endpoint.receive(chunk)
    return endpoint
  })
  t.ok(retained < 700_000, `${retained} bytes`)
})

// Pause and resume

t.test('paused inside a call: nothing more comes until resume, and then all in order', async t => {
  const frames = [frame(TEXT, 'a'), frame(PING, 'b'), frame(TEXT_BEGIN, 'c'), frame(PONG), frame(END, 'd'), GOODBYE]
  const events = ['text a', 'ping 62', 'pong ', 'text cd', 'close 1000']
  for (const role of ROLES) {
    for (const way of WAYS) {
      const observed = new Observed(role)
      const { endpoint } = observed
      observed.hook = () => endpoint.pause()
      observed.feed(frames, way)
      for (let count = 1; count <= events.length; count++) {
        t.strictSame(observed.events, events.slice(0, count), `${role}, ${way}`)
        t.equal(endpoint.paused, true)
        endpoint.resume()
      }
      t.strictSame(observed.events, events)
      t.equal(observed.sent(), asSentBy(role, [frame(PONG, 'b'), GOODBYE]))
    }
  }
})

t.test('paused from outside, at any point of any frame', async t => {
  const frames = [frame(TEXT, 'aé'), frame(PING, 'b'), frame(BINARY)]
  for (const role of ROLES) {
    const wire = asSentBy(role === 'server' ? 'client' : 'server', frames)
    for (let cut = 0; cut <= wire.length; cut += 2) {
      const observed = new Observed(role)
      observed.feedRaw(wire.slice(0, cut))
      const before = observed.events.length
      observed.endpoint.pause()
      observed.feedRaw(wire.slice(cut), 'byte by byte')
      t.equal(observed.events.length, before)
      observed.endpoint.resume()
      observed.feed([frame(TEXT, 'next')])
      t.strictSame(observed.events, ['text aé', 'ping 62', 'binary ', 'text next'], `${role}, cut at ${cut / 2}`)
    }
  }
})

t.test('resume inside the same call takes the pause back; without a pause it does nothing', async t => {
  const observed = new Observed('server')
  const { endpoint } = observed
  t.equal(endpoint.paused, false)
  endpoint.resume()
  observed.hook = () => {
    endpoint.pause()
    endpoint.resume()
  }
  observed.feed([frame(TEXT, 'a'), frame(TEXT, 'b')])
  t.strictSame(observed.events, ['text a', 'text b'])
  t.equal(endpoint.paused, false)
})

t.test('paused: sending and closing go on, and the end of the transport is told at once', async t => {
  const observed = new Observed('server')
  const { endpoint } = observed
  endpoint.pause()
  observed.feed([frame(TEXT, 'unread')])
  t.equal(endpoint.send(Opcode.text, 'a'), true)
  endpoint.close(1000)
  t.equal(observed.sent(), frame(TEXT, 'a') + GOODBYE)
  endpoint.transportEnded()
  endpoint.resume()
  observed.feed([frame(TEXT, 'never')])
  t.strictSame(observed.events, ['close 1006'])
})

t.test('over while paused: resume brings nothing back', async t => {
  const observed = new Observed('server')
  const { endpoint } = observed
  observed.hook = event => {
    if (!event.startsWith('text')) return
    endpoint.pause()
    endpoint.fail(1008, 'no')
  }
  observed.feed([frame(TEXT, 'a'), frame(TEXT, 'never')])
  endpoint.resume()
  observed.feed([frame(TEXT, 'never')])
  t.strictSame(observed.events, ['text a', 'close 1008 no'])
})

// Calls from inside a callback

t.test('send, ping and close from inside a call go out in order', async t => {
  const observed = new Observed('server')
  const { endpoint } = observed
  observed.hook = event => {
    if (event.startsWith('text')) endpoint.send(Opcode.text, `got ${event}`)
    if (event === 'ping 61') endpoint.ping(Buffer.from('p'))
    if (event === 'text c') endpoint.close(1000)
  }
  observed.feed([frame(TEXT, 'a'), frame(PING, 'a'), frame(TEXT, 'c'), frame(TEXT, 'd'), GOODBYE])
  t.strictSame(observed.events, ['text a', 'ping 61', 'text c', 'text d', 'close 1000'])
  const sent = [frame(TEXT, 'got text a'), frame(PONG, 'a'), frame(PING, 'p'), frame(TEXT, 'got text c'), GOODBYE]
  t.equal(observed.sent(), sent.join(''))
})

t.test('failing, and the end of the transport, from inside a call stop the reading there', async t => {
  for (const way of WAYS) {
    const failing = new Observed('server')
    failing.hook = event => event === 'text a' && failing.endpoint.fail(1008, 'no')
    failing.feed([frame(TEXT_BEGIN), frame(END, 'a'), frame(TEXT, 'never')], way)
    t.strictSame(failing.events, ['text a', 'close 1008 no'])
    const ending = new Observed('server')
    ending.hook = event => event === 'ping 61' && ending.endpoint.transportEnded()
    ending.feed([frame(PING, 'a'), frame(TEXT, 'never')], way)
    t.strictSame(ending.events, ['ping 61', 'close 1006'])
  }
})

t.test('inside onClose it is over: nothing can be sent', async t => {
  const observed = new Observed('server')
  const { endpoint } = observed
  const seen: unknown[] = []
  observed.hook = () => seen.push(endpoint.state, endpoint.send(Opcode.text, 'a'))
  observed.feed([GOODBYE])
  t.strictSame(seen, [EndpointState.closed, false])
  t.equal(observed.sent(), GOODBYE)
})

t.test('7.4.1: a sink that throws fails the connection with 1011, and onClose is given the error', async t => {
  const error = new Error('from the sink')
  const throwAt = (observed: Observed, event: string): void => {
    observed.hook = now => {
      if (now === event) throw error
    }
  }
  for (const role of ROLES) {
    for (const way of WAYS) {
      for (const [frames, event] of [
        [[frame(TEXT, 'a')], 'text a'],
        [[frame(BINARY_BEGIN), frame(END, 'a')], 'binary 61'],
        [[frame(PING, 'a')], 'ping 61'],
        [[frame(PONG, 'a')], 'pong 61'],
      ] as const) {
        const observed = new Observed(role)
        throwAt(observed, event)
        observed.feed([...frames, frame(TEXT, 'never')], way)
        t.equal(observed.cause, error)
        t.strictSame(observed.events, [event, 'close 1011'])
        t.ok(observed.sent().endsWith(asSentBy(role, [closeFrame(1011)])))
        observed.feed([frame(TEXT, 'never')])
        t.equal(observed.events.length, 2)
      }
    }
  }
  const closing = new Observed('server')
  throwAt(closing, 'close 1000')
  t.throws(() => closing.feed([GOODBYE]), error)
  t.strictSame([closing.events, closing.sent()], [['close 1000'], GOODBYE], 'over already: no second end')
  const resumed = new Observed('server')
  throwAt(resumed, 'text a')
  resumed.endpoint.pause()
  resumed.feed([frame(TEXT, 'a')])
  resumed.endpoint.resume()
  t.equal(resumed.cause, error)
  t.strictSame(resumed.events, ['text a', 'close 1011'])
})

t.test('7.4.1: where no memory can be had for the close frame either, onClose is given what went wrong first', async t => {
  const observed = new Observed('server')
  const first = new RangeError('Array buffer allocation failed')
  const value = (): never => {
    throw new Error('not this one')
  }
  observed.hook = event => {
    if (event !== 'text a') return
    for (const name of ['reserve', 'append'] as const) t.intercept(observed.output, name, { value })
    throw first
  }
  observed.feed([frame(TEXT, 'a')])
  t.equal(observed.cause, first)
  t.strictSame(observed.events, ['text a', 'close 1011'])
})

// Sending

t.test('5.6: messages as text, as bytes, and as bytes that are text', async t => {
  for (const role of ROLES) {
    const { endpoint, output } = new Observed(role)
    t.equal(endpoint.send(Opcode.text, 'é'), true)
    t.equal(endpoint.send(Opcode.text, Buffer.from('€')), true)
    t.equal(endpoint.send(Opcode.binary, bytes('ff')), true)
    t.equal(endpoint.send(Opcode.binary, 'a'), true)
    const sent = [frame(TEXT, 'é'), frame(TEXT, '€'), frame(BINARY, bytes('ff')), frame(BINARY, 'a')]
    t.equal(hex(output.take()), asSentBy(role, sent))
  }
})

t.test('what the caller must not do is thrown, named, and changes nothing', async t => {
  const rows: [argument: RegExp, call: (endpoint: Endpoint) => void][] = [
    [/^payload .*125.*126/, endpoint => endpoint.ping(noise(126))],
    [/^payload .*125.*126/, endpoint => endpoint.pong(noise(126))],
    [/^data .*UTF-8/, endpoint => endpoint.send(Opcode.text, bytes('c3'))],
    [/^code .*1005/, endpoint => endpoint.close(1005)],
    [/^code .*1015/, endpoint => endpoint.fail(1015, '')],
    [/^reason .*123.*124/, endpoint => endpoint.close(1000, 'a'.repeat(124))],
    [/reason needs a code/, endpoint => endpoint.close(undefined, 'bye')],
  ]
  for (const [message, call] of rows) {
    const observed = new Observed('server')
    t.throws(() => call(observed.endpoint), { name: 'MisuseError', code: 'invalid-argument', message })
    t.strictSame([observed.events, observed.sent(), observed.endpoint.state], [[], '', EndpointState.open])
  }
})

t.test('5.1, 5.3: a client masks with a new key for each frame; a server never masks', async t => {
  const client = new BufferedOutput()
  const server = new BufferedOutput()
  const sink = new Observed('server')
  const endpoints = [
    new Endpoint(sink, client, { role: 'client' }),
    new Endpoint(sink, server, { role: 'server', maskingKey: () => 0x01010101 }),
  ]
  for (const endpoint of endpoints) for (let i = 0; i < 50; i++) endpoint.send(Opcode.text, 'Hello')
  t.equal(hex(server.take()), frame(TEXT, 'Hello').repeat(50))
  const wire = hex(client.take())
  const frames = Array.from({ length: 50 }, (_, i) => wire.slice(22 * i, 22 * (i + 1)))
  const keys = frames.map(frame => frame.slice(4, 12))
  t.ok(new Set(keys).size >= 49, 'keys differ')
  t.strictSame(frames, keys.map(key => masked(frame(TEXT, 'Hello'), key)))
})

t.test('a large payload that is not lent goes by reference; all others stay with the caller, untouched', async t => {
  for (const [role, lent, byReference] of [
    ['server', undefined, true],
    ['server', false, true],
    ['server', true, false],
    ['client', undefined, false],
    ['client', false, false],
    ['client', true, false],
  ] as const) {
    const observed = new Observed(role)
    const data = noise(70_000)
    observed.endpoint.send(Opcode.binary, data, lent)
    t.ok(data.equals(noise(70_000)), 'not changed')
    data.fill(0)
    const sent = byReference ? data : noise(70_000)
    t.ok(observed.sent() === asSentBy(role, [frame(BINARY, sent)]), `${role}, lent: ${lent}`)
  }
})

t.test('a message in one read is lent from it; one in pieces comes in memory of its own', async t => {
  const received: Buffer[] = []
  const sink = sinkWith({ onMessage: (_, data) => received.push(data) })
  const endpoint = new Endpoint(sink, new BufferedOutput(), { role: 'client' })
  const whole = bytes(frame(BINARY, 'Hello'))
  const [one, two] = [whole.subarray(0, 4), whole.subarray(4)]
  for (const chunk of [whole, one, two]) endpoint.receive(chunk)
  t.equal(received[0], whole)
  whole.fill(0xaa)
  t.equal(received[1].toString(), 'Hello')
})

t.test('10.4: a message in one frame gets memory for just that; one whose end is open may get more', async t => {
  for (const [frames, size] of [
    [[frame(TEXT, 'aaaaa')], 5],
    [[frame(TEXT_BEGIN, 'aaa'), frame(MIDDLE, 'a'), frame(END, 'a')], 256],
  ] as const) {
    const held: number[] = []
    const sink = sinkWith({ onMessage: (_, data) => held.push(data.buffer.byteLength) })
    const endpoint = new Endpoint(sink, new BufferedOutput(), { role: 'client' })
    for (const byte of bytes(frames.join(''))) endpoint.receive(Buffer.from([byte]))
    t.strictSame(held, [size])
  }
})

// Two endpoints

t.test('5.4, 5.5, 7: two endpoints talk, and close in either direction', async t => {
  for (const way of WAYS) {
    for (const closer of ROLES) {
      const ends = { server: new Observed('server'), client: new Observed('client') }
      const messages = ['a', '€'.repeat(60), 'x'.repeat(200), 'y'.repeat(70_000), '']
      for (const { endpoint } of Object.values(ends)) {
        for (const message of messages) endpoint.send(Opcode.text, message)
        endpoint.send(Opcode.binary, noise(20_000))
        endpoint.ping(Buffer.from('p'))
      }
      exchange(ends.server, ends.client, way)
      ends[closer].endpoint.close(1001, 'bye')
      exchange(ends.server, ends.client, way)
      const texts = messages.map(message => `text ${message}`)
      const events = [...texts, `binary ${hex(noise(20_000))}`, 'ping 70', 'pong 70']
      for (const role of ROLES) {
        const end = 'close 1001 bye'
        t.ok(ends[role].events.join() === [...events, end].join(), `${role}, ${closer} closes, ${way}`)
      }
    }
  }
})

t.test('5.4: one side echoes what it gets, fragments and pings in between included', async t => {
  for (const way of WAYS) {
    for (const role of ROLES) {
      const echo = new Observed(role)
      echo.hook = event => event.startsWith('text ') && echo.endpoint.send(Opcode.text, event.slice(5))
      echo.feed([frame(TEXT_BEGIN, 'é'), frame(PING, KEY), frame(END, '€'), frame(TEXT, 'next')], way)
      t.equal(echo.sent(), asSentBy(role, [frame(PONG, KEY), frame(TEXT, 'é€'), frame(TEXT, 'next')]))
    }
  }
})

t.test('receive inside a callback would mix up the order of bytes, and is a misuse', async t => {
  const observed = new Observed('server')
  observed.hook = () => {
    const nested = (): void => observed.endpoint.receive(bytes(masked(frame(TEXT, 'b'))))
    t.throws(nested, { name: 'MisuseError', code: 'invalid-state' })
  }
  observed.feed([frame(TEXT, 'a'), frame(TEXT, 'c')])
  t.strictSame(observed.events, ['text a', 'text c'])
})

t.test('a limit that is no amount of bytes is a misuse, not no limit', async t => {
  for (const maxMessageBytes of [NaN, -1, 0.5, '16' as unknown as number]) {
    const make = (): unknown => new Observed('server', { maxMessageBytes })
    t.throws(make, { name: 'MisuseError', code: 'invalid-option', message: /^maxMessageBytes must be/ })
  }
  t.doesNotThrow(() => new Observed('server', { maxMessageBytes: Infinity }))
})
