import t from 'tap'
import { Opcode } from '../../lib/protocol/opcode.ts'
import { MessageStreams, type MessageStream } from '../../lib/transport/message-streams.ts'
import { turn, within } from '../helpers/journal.ts'

const { text, binary } = Opcode
const DONE = { done: true, value: undefined }
const item = <Value>(value: Value): { done: boolean; value: Value } => ({ done: false, value })

interface Watched {
  readonly streams: MessageStreams
  push(data: string | Uint8Array, opcode?: typeof text | typeof binary): void
  /** What was asked of the source since the last call. */
  calls(): string[]
  next(): Promise<MessageStream>
}

function watched(): Watched {
  let calls: string[] = []
  const streams = new MessageStreams({
    hold: () => void calls.push('hold'),
    release: () => void calls.push('release'),
    left: () => void calls.push('left'),
    detach: () => void calls.push('detach'),
    resized() {},
  })
  return {
    streams,
    push(data, opcode = text) {
      const bytes = Buffer.concat([Buffer.from('<'), Buffer.from(data as string), Buffer.from('>')])
      streams.push(opcode, bytes, 1, bytes.length - 1)
      bytes.fill(0)
    },
    calls() {
      const all = calls
      calls = []
      return all
    },
    async next() {
      const { value } = await within(streams.next(), 'a message')
      if (value === undefined) throw new Error('the messages have ended')
      return value
    },
  }
}

t.test('a message comes with its first piece; its pieces are of their own memory', async t => {
  const { streams, push, next } = watched()
  push('a')
  const message = await next()
  t.equal(message.binary, false)
  t.strictSame(await message.next(), item('a'))
  const [second, third] = [message.next(), message.next()]
  push('b')
  push('c')
  t.strictSame([await second, await third], [item('b'), item('c')])
  const end = [message.next(), message.next()]
  streams.endMessage(text)
  t.strictSame(await Promise.all(end), [DONE, DONE])
  push(Buffer.from([1, 2]), binary)
  streams.endMessage(binary)
  const other = await next()
  t.equal(other.binary, true)
  t.strictSame(await other.next(), item(Buffer.from([1, 2])))
  t.strictSame([await other.next(), await other.next()], [DONE, DONE])
})

t.test('the source is held from each piece on until the next is asked for', async t => {
  const { streams, push, calls, next } = watched()
  const asked = next()
  await turn()
  t.strictSame(calls(), ['release'])
  push('a')
  t.strictSame(calls(), ['hold'])
  const message = await asked
  await message.next()
  t.strictSame(calls(), [], 'it was there already')
  const piece = message.next()
  t.strictSame(calls(), ['release'])
  push('b')
  t.strictSame([await piece, calls()], [item('b'), ['hold']])
  streams.endMessage(text)
  await message.next()
  t.strictSame(calls(), [])
  void streams.next()
  await turn()
  t.strictSame(calls(), ['release'])
})

t.test('a message that nobody asked for holds the source, even an empty one', async t => {
  const { streams, calls, next } = watched()
  streams.endMessage(text)
  t.strictSame(calls(), ['hold'])
  t.strictSame(await (await next()).next(), DONE)
  void streams.next()
  await turn()
  streams.endMessage(binary)
  t.strictSame(calls(), ['release'], 'not one that somebody waits for')
})

t.test('only the beginning of a character is no piece', async t => {
  const { streams, push, next, calls } = watched()
  const asked = next()
  await turn()
  calls()
  push(Buffer.from([0xe2]))
  push(Buffer.from([0x82]))
  t.strictSame(calls(), [], 'and more may come')
  push(Buffer.from([0xac, 0xf0, 0x9f]))
  push(Buffer.from([0x98, 0x80]))
  streams.endMessage(text)
  const seen: unknown[] = []
  for await (const piece of await asked) seen.push(piece)
  t.strictSame(seen, ['€', '😀'])
})

t.test('in binary messages every byte counts', async t => {
  const { streams, push, next } = watched()
  for (const byte of [0xe2, 0x82]) push(Buffer.from([byte]), binary)
  streams.endMessage(binary)
  const seen: unknown[] = []
  for await (const piece of await next()) seen.push(piece)
  t.strictSame(seen, [Buffer.from([0xe2]), Buffer.from([0x82])])
})

t.test('a message that is left lets its source go on, and drops what comes', async t => {
  const { streams, push, next, calls } = watched()
  push('a')
  push('b')
  const message = await next()
  calls()
  t.strictSame(await message.return(), DONE)
  t.strictSame(calls(), ['release'])
  push('c')
  t.strictSame([await message.next(), calls()], [DONE, []])
  streams.endMessage(text)
  t.strictSame(await message.return(), DONE)
  t.strictSame(calls(), [])
  push('d')
  t.strictSame(await (await next()).next(), item('d'), 'the next message is another')
})

t.test('who waits for a piece of a message that is left is done', async t => {
  const { push, next } = watched()
  push('a')
  const message = await next()
  await message.next()
  const waiting = message.next()
  await message.return()
  t.strictSame(await within(waiting, 'the end'), DONE)
})

t.test('asking for the next message throws the rest of the one before away', async t => {
  const { streams, push, next } = watched()
  push('a')
  const first = await next()
  const asked = next()
  await turn()
  push('b')
  streams.endMessage(text)
  push('c')
  const second = await asked
  t.strictSame([await first.next(), await second.next()], [DONE, item('c')])
})

t.test('several may be asked for at once', async t => {
  const { streams, push, next } = watched()
  const asked = [next(), next()]
  await turn()
  for (const name of ['a', 'b']) {
    push(name)
    streams.endMessage(text)
  }
  const [first, second] = await Promise.all(asked)
  t.strictSame([await first.next(), await second.next()], [item('a'), item('b')])
})

t.test('the end: what has come is there, what has not rejects, and no message follows', async t => {
  const { streams, push, next } = watched()
  push('a')
  streams.endMessage(text)
  push('b')
  streams.end()
  const first = await next()
  t.strictSame([await first.next(), await first.next()], [item('a'), DONE])
  const second = await next()
  t.strictSame(await second.next(), item('b'))
  await t.rejects(second.next(), { code: 'connection-closed' })
  t.strictSame(await streams.next(), DONE)
  push('c')
  streams.endMessage(text)
  t.strictSame(await streams.next(), DONE, 'nothing comes after the end')
})

t.test('the end reaches everybody who waits', async t => {
  const { streams, push, next } = watched()
  push('a')
  const message = await next()
  await message.next()
  const pieces = [message.next(), message.next()]
  const rejections = pieces.map(piece => t.rejects(within(piece, 'the end'), { code: 'connection-closed' }))
  streams.end()
  await Promise.all(rejections)
  const other = watched()
  const messages = [other.streams.next(), other.streams.next()]
  await turn()
  other.streams.end()
  t.strictSame(await within(Promise.all(messages), 'the end'), [DONE, DONE])
})

t.test('return: all is dropped, the source let go, and the message at hand is nobody’s', async t => {
  const { streams, push, next, calls } = watched()
  push('a')
  const first = await next()
  streams.endMessage(text)
  push('b')
  calls()
  t.strictSame(await streams.return(), DONE)
  t.equal(calls().at(-1), 'detach')
  t.strictSame(await first.next(), DONE)
  t.strictSame(await streams.next(), DONE)
  push('more of b')
  streams.endMessage(text)
  t.strictSame([await streams.next(), calls()], [DONE, []])
})

t.test('for await over messages and their pieces, left in the middle of both', async t => {
  const { streams, push, calls } = watched()
  const seen: unknown[] = []
  const loop = (async () => {
    for await (const message of streams) {
      for await (const piece of message) {
        seen.push(piece)
        if (piece === 'b') return
      }
      seen.push('end')
    }
  })()
  await turn()
  push('a')
  await turn()
  streams.endMessage(text)
  await turn()
  push('b')
  await within(loop, 'the loop')
  t.strictSame(seen, ['a', 'end', 'b'])
  t.equal(calls().at(-1), 'detach')
})

t.test('a message that was left is over, whatever becomes of the connection', async t => {
  const { streams, push, next } = watched()
  push('a')
  const message = await next()
  await message.return()
  streams.end()
  t.strictSame(await message.next(), DONE)
})

t.test('one that was waited for is thrown away too when the next is asked for', async t => {
  const { streams, push, next } = watched()
  const asked = next()
  await turn()
  push('a')
  const first = await asked
  const second = next()
  await turn()
  t.strictSame(await first.next(), DONE, 'its first piece as well')
  streams.endMessage(text)
  push('b')
  t.strictSame(await (await second).next(), item('b'))
})

t.test('messages that had come before are next, in one piece each; what of them was not taken can be had back', async t => {
  const calls: string[] = []
  const source = { hold: () => void calls.push('hold'), release: () => void calls.push('release'), left() {}, detach() {}, resized() {} }
  const streams = new MessageStreams(
    source,
    ['ab', '', Buffer.from('c'), 'd', 'e'].map(message => ({ message, size: message.length }))
  )
  t.equal(streams.size, 5)
  streams.push(binary, Buffer.from('fgh'), 0, 2)
  t.equal(streams.size, 7)
  const seen: unknown[] = []
  for (let i = 0; i < 3; i++) {
    const { value } = await within(streams.next(), 'a message')
    for await (const piece of value ?? []) seen.push(value?.binary, piece)
  }
  t.strictSame(seen, [false, 'ab', true, Buffer.from('c')])
  t.strictSame(calls, ['hold', 'hold'], 'by the message that has begun, and its piece')
  t.equal(await (await within(streams.next(), 'one that is not read')).value?.binary, false)
  t.equal(streams.size, 5, 'a piece of text may take two bytes a character')
  t.strictSame([streams.takeWhole(), streams.takeWhole()], [[{ message: 'e', size: 1 }], []])
  const last = (await within(streams.next(), 'the message that has begun')).value
  t.strictSame(await last?.next(), item(Buffer.from('fg')))
})
