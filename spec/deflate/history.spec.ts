import { inflateRawSync, constants } from 'node:zlib'
import t from 'tap'
import { History } from '../../lib/deflate/history.ts'
import { hex } from '../helpers/frames.ts'
import { random } from '../helpers/random.ts'

t.test('the last bytes are kept, however they come', async t => {
  const below = random(t)
  for (const size of [1, 2, 7, 256, 512, 4096, 32768]) {
    const history = new History(size)
    let all = Buffer.alloc(0)
    for (let round = 0; round < 60; round++) {
      const most = round % 10 === 0 ? 3 * size : size / 3 + 2
      // One of them fills it, whatever the others are.
      const fills = round === 30
      const message = Buffer.from(Array.from({ length: fills ? size : below(most) }, () => below(256)))
      const start = fills ? 0 : below(message.length + 1)
      const end = fills ? size : start + below(message.length - start + 1)
      all = Buffer.concat([all, message.subarray(start, end)]).subarray(-size)
      history.append(message, start, end)
      if (round % 7 === 0) history.trim()
      t.equal(history.length, all.length)
      t.ok(history.bytes.equals(all), `${size}: [${start}, ${end}) of ${message.length}`)
    }
    t.equal(history.length, size, 'it got full')
  }
})

t.test('RFC 1951, 3.2.4: they are a stored block too', async t => {
  const history = new History(32768)
  history.append(Buffer.from('xHellox'), 1, 6)
  t.equal(hex(history.block), '000500faff48656c6c6f')
  history.append(Buffer.alloc(40_000, 'ab'), 0, 40_000)
  const block = Buffer.from(history.block)
  t.equal(hex(block.subarray(0, 5)), '000080ff7f')
  t.ok(inflateRawSync(block, { finishFlush: constants.Z_SYNC_FLUSH }).equals(history.bytes))
  t.equal(history.bytes.length, 32768)
})

t.test('memory is taken for what has come, and no more than twice that', async t => {
  const history = new History(32768)
  t.equal(history.capacity, 0)
  history.append(Buffer.alloc(1), 0, 1)
  t.equal(history.capacity, 5 + 256)
  history.append(Buffer.alloc(255), 0, 255)
  t.equal(history.capacity, 5 + 256, 'it fits')
  history.append(Buffer.alloc(1), 0, 1)
  t.equal(history.capacity, 5 + 514)
  history.append(Buffer.alloc(20_000), 0, 20_000)
  t.equal(history.capacity, 5 + 32768, 'never more than the window')
  history.append(Buffer.alloc(40_000), 0, 40_000)
  t.equal(history.capacity, 5 + 36864, 'and an eighth, once that is full')
  const small = new History(256)
  small.append(Buffer.alloc(3), 0, 3)
  t.equal(small.capacity, 5 + 256)
})

t.test('bytes that are added do not move all that are kept', async t => {
  const history = new History(32768)
  history.append(Buffer.alloc(40_000), 0, 40_000)
  let [moves, steps] = [0, 0]
  let last = history.bytes.byteOffset
  for (let round = 0; round < 10_000; round++) {
    history.append(Buffer.from([round]), 0, 1)
    const at = history.bytes.byteOffset
    if (at < last) moves++
    else if (at === last + 1) steps++
    last = at
  }
  t.strictSame([moves, steps], [2, 9998], 'once for each 4 KiB')
  const expected = Buffer.from(Array.from({ length: 10_000 }, (_, round) => round))
  t.ok(history.bytes.subarray(-10_000).equals(expected))
  t.equal(hex(history.block.subarray(0, 5)), '000080ff7f')
  const { capacity } = history
  history.append(Buffer.alloc(0), 0, 0)
  t.equal(history.bytes.byteOffset, last, 'nothing')
  history.trim()
  t.equal(history.capacity, 5 + 32768)
  history.append(Buffer.from('a'), 0, 1)
  t.equal(history.capacity, capacity)
  t.ok(history.bytes.subarray(-10_001, -1).equals(expected))
})

t.test('trim gives up what is not needed', async t => {
  const history = new History(32768)
  history.append(Buffer.from('Hello'), 0, 5)
  const before = history.bytes
  history.trim()
  t.equal(history.capacity, 5 + 5)
  t.equal(hex(history.block), '000500faff48656c6c6f')
  t.not(history.bytes.buffer, before.buffer)
  const trimmed = history.bytes
  history.trim()
  t.equal(history.bytes.buffer, trimmed.buffer, 'once')
  history.append(Buffer.from(', Hello'), 0, 7)
  t.equal(String(history.bytes), 'Hello, Hello')
})

t.test('clear forgets all', async t => {
  const history = new History(512)
  history.append(Buffer.from('Hello'), 0, 5)
  history.clear()
  t.equal(history.capacity, 0)
  t.equal(history.length, 0)
  t.equal(history.bytes.length, 0)
  history.append(Buffer.from('a'), 0, 1)
  t.equal(String(history.bytes), 'a')
})
