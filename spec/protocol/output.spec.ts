import t from 'tap'
import { BufferedOutput } from '../../lib/protocol/output.ts'
import { bytes, hex } from '../helpers/frames.ts'

function write(output: BufferedOutput, data: string): void {
  const source = bytes(data)
  const at = output.reserve(source.length)
  source.copy(output.memory, at)
  output.commit(source.length)
}

t.test('what is committed and appended comes out in order, once', async t => {
  const output = new BufferedOutput()
  write(output, '0102')
  output.append(bytes('0a0b0c'))
  write(output, '03')
  t.equal(hex(output.take()), '01020a0b0c03')
  t.equal(hex(output.take()), '')
  write(output, '04')
  t.equal(hex(output.take()), '04')
})

t.test('only what is committed goes out, and a reserve without commit takes no room', async t => {
  const output = new BufferedOutput()
  const at = output.reserve(100)
  t.equal(output.reserve(100), at)
  output.memory.fill(7, at, at + 100)
  output.commit(3)
  t.equal(hex(output.take()), '070707')
  t.equal(output.reserve(1), at + 3)
})

t.test('an exact fit stays in the same memory; one byte more gets new memory and leaves the old alone', async t => {
  const output = new BufferedOutput()
  write(output, '01')
  const { memory } = output
  const left = memory.length - 1
  t.equal(output.reserve(left), 1)
  t.equal(output.memory, memory)
  t.equal(output.reserve(left + 1), 0)
  t.not(output.memory, memory)
  output.memory.fill(9)
  output.commit(1)
  t.equal(hex(output.take()), '0109')
})

t.test('there is room for what is reserved, however much', async t => {
  for (const size of [0, 1, 1023, 1024, 1025, 100_000]) {
    const output = new BufferedOutput()
    const at = output.reserve(size)
    t.ok(output.memory.length - at >= size, `${size}`)
  }
  t.ok(reserved(1).memory.length >= 1024, 'small frames share memory')
})

t.test('nothing blocks it unless it is told so', async t => {
  t.equal(new BufferedOutput().blocked, false)
})

function reserved(size: number): BufferedOutput {
  const output = new BufferedOutput()
  output.reserve(size)
  return output
}

t.test('messages that wait are counted', async t => {
  const output = new BufferedOutput()
  output.countWaiting(3)
  output.countWaiting(-1)
  t.equal(output.waiting, 2)
})
