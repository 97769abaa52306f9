import t from 'tap'
import { Batch, BATCH_SIZE, unpack, type Packed } from '../../lib/broadcast/batch.ts'

function unpacked({ channels, bytes }: Packed): [channel: string, bytes: Buffer][] {
  const messages: [string, Buffer][] = []
  unpack(channels, bytes, (channel, message) => messages.push([channel, message]))
  return messages
}

t.test('messages of several channels, in order, each name once', async t => {
  const batch = new Batch()
  const messages: [string, Buffer][] = [
    ['a', Buffer.from('one')],
    ['', Buffer.alloc(0)],
    ['grün', Buffer.from([0, 255])],
    ['a', Buffer.alloc(300, 1)],
  ]
  for (const [channel, bytes] of messages) t.equal(batch.add(channel, bytes), true)
  const packed = batch.take()
  t.strictSame(unpacked(packed), messages)
  t.strictSame([packed.channels, packed.count], [['a', '', 'grün'], 4])
  t.equal(batch.size, 0)
  batch.add('b', Buffer.from('next'))
  t.strictSame(unpacked(batch.take()), [['b', Buffer.from('next')]], 'and nothing of before')
  t.strictSame(batch.take(), { channels: [], bytes: Buffer.alloc(0), count: 0 })
})

t.test('what is added and what was taken are the memory of nobody else', async t => {
  const batch = new Batch()
  const bytes = new Uint8Array([1, 2, 3])
  batch.add('a', bytes)
  bytes.fill(9)
  const first = batch.take()
  batch.add('a', new Uint8Array([4, 5, 6]))
  t.strictSame(unpacked(first), [['a', Buffer.from([1, 2, 3])]])
  t.strictSame(unpacked(batch.take()), [['a', Buffer.from([4, 5, 6])]])
})

t.test('a full one takes no more; an empty one takes everything', async t => {
  const batch = new Batch()
  const kibibyte = Buffer.alloc(1024, 7)
  let count = 0
  while (batch.add('a', kibibyte)) count++
  t.equal(count, Math.floor(BATCH_SIZE / 1030))
  t.ok(batch.size <= BATCH_SIZE)
  t.equal(unpacked(batch.take()).length, count)
  for (const size of [BATCH_SIZE - 6, BATCH_SIZE - 5, BATCH_SIZE, 3_000_000]) {
    const large = Buffer.alloc(size, 8)
    batch.add('a', kibibyte)
    t.equal(batch.add('b', large), false, `${size} bytes behind others`)
    batch.take()
    t.equal(batch.add('b', large), true)
    t.equal(batch.add('a', Buffer.alloc(0)), false, 'nothing behind it')
    const [[channel, bytes]] = unpacked(batch.take())
    t.ok(channel === 'b' && bytes.equals(large), `${size} bytes`)
  }
  batch.add('a', kibibyte)
  t.strictSame(unpacked(batch.take()), [['a', kibibyte]], 'and small ones as before')
})
