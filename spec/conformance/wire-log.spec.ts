import t from 'tap'
import { describeFrame, WireLog } from '../../lib/conformance/wire-log.ts'
import { bytes } from '../helpers/frames.ts'

t.test('a frame as a line', async t => {
  const lines: [opcode: number, fin: boolean, rsv: number, payload: Buffer, line: string][] = [
    [1, true, 0, Buffer.from('Hello, world!'), 'text, fin, 13 bytes: "Hello, world!"'],
    [1, true, 0, Buffer.alloc(0), 'text, fin, empty'],
    [0, false, 0, Buffer.from('a'), 'continuation, more to come, 1 byte: "a"'],
    [2, true, 5, bytes('00fffe'), 'binary, fin, RSV1, RSV3, 3 bytes: 00 ff fe'],
    [11, true, 2, Buffer.from('grün'), 'opcode 11, fin, RSV2, 5 bytes: "grün"'],
    [1, true, 0, Buffer.from('a\nb'), 'text, fin, 3 bytes: 61 0a 62'],
    [8, true, 0, bytes('03e8627965'), 'close, fin, 1000 "bye"'],
    [8, true, 0, bytes('03e8'), 'close, fin, 1000'],
    [8, true, 0, bytes('41'), 'close, fin, 1 byte: "A"'],
    [1, true, 0, Buffer.alloc(1234, 'x'), `text, fin, 1,234 bytes: "${'x'.repeat(32)}" …`],
  ]
  for (const [opcode, fin, rsv, payload, line] of lines) {
    t.equal(describeFrame({ opcode, fin, rsv }, payload.subarray(0, 40), payload.length), line)
  }
})

t.test('sides, remarks, notes and times', async t => {
  const log = new WireLog()
  log.frame('tester', { opcode: 1, fin: true, rsv: 0 }, Buffer.from('a'), '1 at a time')
  log.note('note', 'a second later')
  log.frame('peer', { opcode: 9, fin: true, rsv: 0 }, Buffer.alloc(0))
  const lines = log.lines()
  t.same(
    lines.map(({ side, line }) => `${side}: ${line}`),
    ['tester: text, fin, 1 byte: "a" (1 at a time)', 'note: a second later', 'peer: ping, fin, empty']
  )
  t.ok(lines.every(({ at }) => at >= 0 && at < 5000))
})

t.test('of a long log the first 40 lines and the last 20 stay', async t => {
  for (const count of [59, 60, 61, 79, 80, 100, 1000]) {
    const log = new WireLog()
    for (let at = 0; at < count; at++) log.note('note', String(at))
    const lines = log.lines().map(({ line }) => line)
    const numbers = Array.from({ length: count }, (_, at) => String(at))
    const gap = count > 60 ? [`… ${(count - 60).toLocaleString('en-US')} more …`] : []
    const expected = count > 60 ? [...numbers.slice(0, 40), ...gap, ...numbers.slice(-20)] : numbers
    t.same(lines, expected, String(count))
  }
})

t.test('a line keeps no large payload', async t => {
  const log = new WireLog()
  const payload = Buffer.alloc(100, 'a')
  log.frame('peer', { opcode: 1, fin: true, rsv: 0 }, payload)
  payload.fill('b')
  t.match(log.lines()[0].line, /"a{32}" …$/)
})

t.test('what is alike in a row is one line', async t => {
  const log = new WireLog()
  const head = { opcode: 0, fin: false, rsv: 0 }
  for (let at = 0; at < 1234; at++) log.frame('tester', head, Buffer.from('aa'))
  log.frame('tester', head, Buffer.from('ab'))
  log.frame('tester', head, Buffer.from('abc'))
  log.frame('tester', { ...head, opcode: 1 }, Buffer.from('abc'))
  log.frame('tester', { ...head, opcode: 1, fin: true }, Buffer.from('abc'))
  log.frame('tester', { ...head, opcode: 1, fin: true, rsv: 1 }, Buffer.from('abc'))
  log.frame('peer', { ...head, opcode: 1, fin: true, rsv: 1 }, Buffer.from('abc'))
  log.frame('peer', { ...head, opcode: 1, fin: true, rsv: 1 }, Buffer.from('abc'), 'late')
  log.frame('peer', { ...head, opcode: 1, fin: true, rsv: 1 }, Buffer.from('abc'), 'late')
  log.frame('tester', head, Buffer.from('aa'))
  const lines = log.lines().map(({ line }) => line)
  t.equal(lines.length, 9)
  t.equal(lines[0], 'continuation, more to come, 2 bytes: "aa", 1,234 times')
  t.equal(lines[7], 'text, fin, RSV3, 3 bytes: "abc" (late), 2 times')
  t.equal(lines[8], 'continuation, more to come, 2 bytes: "aa"')
})
