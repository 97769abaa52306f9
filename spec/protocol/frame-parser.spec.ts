import t from 'tap'
import type { Test } from 'tap'
import { FrameParser, type FrameHandler, type Role } from '../../lib/protocol/frame-parser.ts'
import { Violation, type ViolationName } from '../../lib/protocol/violation.ts'
import { bytes, frame, hex, KEY, masked } from '../helpers/frames.ts'
import { asSentTo, ROLES, WAYS, type Way } from '../helpers/observed.ts'
import { random } from '../helpers/random.ts'

/** Writes down frames as hex without mask; `pieces` keeps what came of each frame that was cut. */
class Frames implements FrameHandler {
  halted = false
  readonly whole: string[] = []
  readonly started: string[] = []
  haltAfter = Infinity
  #header = ''
  #body = ''

  onFrame(first: number, data: Buffer, start: number, end: number): void {
    this.#done(frame(first.toString(16).padStart(2, '0'), data.subarray(start, end)))
  }

  onFrameStart(first: number, length: number): void {
    this.#header = first.toString(16).padStart(2, '0')
    this.#body = ''
    this.started.push(`${this.#header} ${length}`)
  }

  onFramePiece(data: Buffer, start: number, end: number): void {
    if (start === end) throw new Error('a piece without bytes')
    this.#body += hex(data.subarray(start, end))
  }

  onFrameEnd(): void {
    this.#done(frame(this.#header, bytes(this.#body)))
  }

  #done(frame: string): void {
    this.whole.push(frame)
    this.halted = this.whole.length >= this.haltAfter
  }
}

interface Result {
  readonly frames: readonly string[]
  readonly violation: ViolationName | undefined
}

/** Parses bytes as they are. */
function parseRaw(role: Role, wire: string, way: Way, compression?: boolean): Result {
  const handler = new Frames()
  const parser = new FrameParser(role, handler, compression)
  const all = bytes(wire)
  const step = way === 'whole' ? all.length : 1
  try {
    for (let at = 0; at < all.length; at += step) parser.parse(Buffer.from(all.subarray(at, at + step)), 0, step)
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    return { frames: handler.whole, violation: error.code }
  }
  return { frames: handler.whole, violation: undefined }
}

/** Frames given unmasked, for both roles, whole and byte by byte. */
function bothWays(t: Test, frames: readonly string[], expected: Result, compression?: boolean): void {
  for (const role of ROLES) {
    for (const way of WAYS) {
      t.strictSame(parseRaw(role, asSentTo(role, frames), way, compression), expected, `${role}, ${way}`)
    }
  }
}

function accepts(t: Test, frames: readonly string[], compression?: boolean): void {
  bothWays(t, frames, { frames, violation: undefined }, compression)
}

function refuses(t: Test, frame: string, violation: ViolationName, compression?: boolean): void {
  bothWays(t, [frame], { frames: [], violation }, compression)
}

/** Section 5.2 and 5.5 for a first byte, read off the RFC; `rsv1` where permessage-deflate has been agreed. */
function firstByte(first: number, rsv1: boolean): ViolationName | undefined {
  const opcode = first % 16
  const reserved = (first >> 4) % 8
  if (reserved !== 0 && !(rsv1 && reserved === 4 && (opcode === 1 || opcode === 2))) return 'reserved-bits'
  if (![0, 1, 2, 8, 9, 10].includes(opcode)) return 'reserved-opcode'
  return opcode >= 8 && first < 128 ? 'fragmented-control' : undefined
}

t.test('5.2: each of the 256 first bytes, without and with RSV1 agreed (RFC 7692, 6.1)', async t => {
  for (const compression of [undefined, true]) {
    for (let first = 0; first < 256; first++) {
      const name = first.toString(16).padStart(2, '0')
      const violation = firstByte(first, compression === true)
      const wire = frame(name, 'a')
      if (violation === undefined) accepts(t, [wire], compression)
      else refuses(t, wire, violation, compression)
    }
  }
})

t.test('5.2: every length around a border, and three frames in a row', async t => {
  for (const length of [0, 1, 3, 4, 5, 63, 64, 65, 124, 125, 126, 127, 128, 65_535, 65_536]) {
    const one = frame('82', Buffer.from(Array.from({ length }, (_, i) => i * 3)))
    accepts(t, [one, frame('89', 'x'), one])
  }
})

t.test('5.2: lengths that are not minimal, negative or too long', async t => {
  const rows: [frame: string, violation: ViolationName][] = [
    ['82 7e 0000', 'length-not-minimal'],
    ['82 7e 007d', 'length-not-minimal'],
    ['82 7f 0000000000000000', 'length-not-minimal'],
    ['82 7f 000000000000007e', 'length-not-minimal'],
    ['82 7f 000000000000ffff', 'length-not-minimal'],
    ['82 7f 8000000000000000', 'length-top-bit'],
    ['82 7f ffffffffffffffff', 'length-top-bit'],
    ['82 7f 7fffffffffffffff', 'length-unsafe'],
    ['82 7f 0020000000000000', 'length-unsafe'],
  ]
  for (const [frame, violation] of rows) refuses(t, frame, violation)
})

t.test('5.2: a length is handed on as it is, up to 2^53-1', async t => {
  const lengths: [frame: string, length: number][] = [
    ['82 7f 001fffffffffffff', 2 ** 53 - 1],
    ['82 7f 0000000100000002', 2 ** 32 + 2],
    ['82 7f 00000000ffffffff', 2 ** 32 - 1],
    ['82 7e fffe', 65_534],
  ]
  for (const [header, length] of lengths) {
    for (const role of ROLES) {
      const handler = new Frames()
      const wire = bytes(asSentTo(role, [header]))
      t.equal(new FrameParser(role, handler).parse(wire, 0, wire.length), wire.length)
      t.strictSame(handler.started, [`82 ${length}`])
    }
  }
})

t.test('5.1: a server wants a mask, a client none; two bytes are enough to tell', async t => {
  for (const way of WAYS) {
    t.equal(parseRaw('server', '8100', way).violation, 'unmasked-frame')
    t.equal(parseRaw('server', '817f', way).violation, 'unmasked-frame')
    t.equal(parseRaw('client', '8180', way).violation, 'masked-frame')
    t.equal(parseRaw('client', `8180${KEY}`, way).violation, 'masked-frame')
  }
})

t.test('5.5: a control frame of over 125 bytes is refused by two bytes of it', async t => {
  for (const first of ['88', '89', '8a']) {
    for (const way of WAYS) {
      t.equal(parseRaw('client', `${first}7e`, way).violation, 'long-control')
      t.equal(parseRaw('client', `${first}7f`, way).violation, 'long-control')
      t.equal(parseRaw('server', `${first}fe`, way).violation, 'long-control')
    }
    accepts(t, [frame(first, 'a'.repeat(125))])
  }
})

t.test('5.2: where several rules are broken, the first byte counts first', async t => {
  for (const way of WAYS) {
    t.equal(parseRaw('server', 'f97f', way).violation, 'reserved-bits')
    t.equal(parseRaw('server', '0f7f', way).violation, 'reserved-opcode')
    t.equal(parseRaw('server', '097f', way).violation, 'fragmented-control')
    t.equal(parseRaw('server', '897f', way).violation, 'unmasked-frame')
  }
})

t.test('5.3: a stream of frames with keys of their own, cut at random', async t => {
  const below = random(t)
  for (let round = 0; round < 100; round++) {
    const frames = Array.from({ length: 1 + below(8) }, () =>
      frame(['81', '02', '00', '8a'][below(4)], Buffer.from(Array.from({ length: below(126) }, () => below(256))))
    )
    const keys = frames.map(() => hex(Buffer.from([below(256), below(256), below(256), below(256)])))
    const wire = bytes(frames.map((frame, i) => masked(frame, keys[i])).join(''))
    const handler = new Frames()
    const parser = new FrameParser('server', handler)
    for (let at = 0; at < wire.length; ) {
      const piece = wire.subarray(at, at + 1 + below(40))
      const chunk = Buffer.concat([bytes('ff'), piece, bytes('ffff')])
      parser.parse(chunk, 1, 1 + piece.length)
      at += piece.length
    }
    t.strictSame(handler.whole, frames)
  }
})

t.test('only what lies between start and end is read, and only payloads are changed', async t => {
  const wire = bytes(`ffff${masked(frame('81', 'Hello'))}ffff`)
  const handler = new Frames()
  t.equal(new FrameParser('server', handler).parse(wire, 2, wire.length - 2), wire.length - 2)
  t.strictSame(handler.whole, [frame('81', 'Hello')])
  t.equal(hex(wire), `ffff8185${KEY}${hex(Buffer.from('Hello'))}ffff`)
})

t.test('a halted handler stops it in front of the next frame, whatever the frame before came in', async t => {
  const [one, two] = [frame('81', 'one'), frame('82', 'two')]
  for (const role of ROLES) {
    const first = bytes(asSentTo(role, [one])).length
    for (let cut = 0; cut <= first; cut++) {
      const wire = bytes(asSentTo(role, [one, two]))
      const handler = new Frames()
      handler.haltAfter = 1
      const parser = new FrameParser(role, handler)
      parser.parse(wire, 0, cut)
      if (cut < first) t.equal(parser.parse(wire, cut, wire.length), first, `${role}, cut at ${cut}`)
      t.strictSame(handler.whole, [one])
      handler.halted = false
      t.equal(parser.parse(wire, first, wire.length), wire.length)
      t.strictSame(handler.whole, [one, two])
    }
  }
})

t.test('an empty frame whose header was cut halts as well', async t => {
  const handler = new Frames()
  handler.haltAfter = 1
  const parser = new FrameParser('client', handler)
  t.equal(parser.parse(bytes('81'), 0, 1), 1)
  t.equal(parser.parse(bytes('008100'), 0, 3), 1)
  t.strictSame(handler.whole, ['8100'])
})

t.test('nothing to read is nothing done, at any point of a frame', async t => {
  const empty = Buffer.alloc(0)
  for (const role of ROLES) {
    const handler = new Frames()
    const parser = new FrameParser(role, handler)
    const wire = bytes(asSentTo(role, [frame('81', 'Hello'), frame('82', 'a'.repeat(126))]))
    for (let at = 0; at < wire.length; at++) {
      t.equal(parser.parse(empty, 0, 0), 0)
      parser.parse(wire, at, at + 1)
    }
    t.equal(handler.whole.length, 2)
  }
})

t.test('8.1: the hint that a payload is ASCII is right for masked frames, and not given for others', async t => {
  const hints: boolean[] = []
  const handler: FrameHandler = {
    halted: false,
    onFrame: (_first, _data, _start, _end, ascii) => hints.push(ascii),
    onFrameStart: () => {},
    onFramePiece: (_data, _start, _end, ascii) => hints.push(ascii),
    onFrameEnd: () => {},
  }
  const parse = (role: Role, frame: string, upTo?: number): void => {
    const wire = bytes(asSentTo(role, [frame]))
    new FrameParser(role, handler).parse(wire, 0, upTo ?? wire.length)
  }
  for (const text of ['Hello', 'é', 'a'.repeat(99) + 'é', 'a'.repeat(100)]) parse('server', frame('81', text))
  t.strictSame(hints.splice(0), [true, false, false, true])
  parse('server', frame('81', 'aé'), 7)
  parse('server', frame('81', 'aé'), 8)
  t.strictSame(hints.splice(0), [true, false])
  parse('client', frame('81', 'Hello'))
  parse('client', frame('81', 'Hello'), 4)
  t.strictSame(hints.splice(0), [false, false])
})
