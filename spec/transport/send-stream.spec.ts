import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import t from 'tap'
import { Opcode } from '../../lib/protocol/opcode.ts'
import { sendStream, type PartSender, type PieceSource } from '../../lib/transport/send-stream.ts'
import { hex } from '../helpers/frames.ts'
import { turn, within } from '../helpers/journal.ts'
import { held } from '../helpers/memory.ts'

/** Writes down what is asked of it; goes on unless it is full. */
class FakeSender implements PartSender {
  readonly calls: string[] = []
  full = false
  closed = false
  onTaken: () => void = () => {}

  beginParts(): Promise<void> {
    this.calls.push('begin')
    return this.closed ? Promise.reject(new Error('closed')) : Promise.resolve()
  }

  sendPart(opcode: Opcode, data: Uint8Array, last: boolean): boolean {
    if (this.closed) throw new Error('closed')
    this.calls.push(`${opcode} ${hex(data)}${last ? ' last' : ''}`)
    return !this.full
  }

  partTaken(): Promise<void> {
    this.calls.push('wait')
    return new Promise(resolve => {
      this.onTaken = resolve
    })
  }

  whileOpen(work: Promise<void>): Promise<void> {
    this.calls.push('while open')
    return work
  }

  giveUp(): void {
    this.calls.push('give up')
  }
}

const { text, binary, continuation } = Opcode

t.test('begins, sends each piece as it comes, and an empty last part', async t => {
  const sender = new FakeSender()
  await sendStream(sender, ['a', 'ü'], undefined)
  t.strictSame(sender.calls, ['begin', 'while open', `${text} 61`, `${continuation} c3bc`, `${continuation}  last`])
})

t.test('the opcode stands in the first part that is sent, also where that is the last', async t => {
  const cases: [source: PieceSource, binary: boolean | undefined, expected: string[]][] = [
    [[], undefined, [`${binary}  last`]],
    [[], false, [`${text}  last`]],
    [['', ''], undefined, [`${text}  last`]],
    [['', 'a'], true, [`${binary} 61`, `${continuation}  last`]],
    [['\ud83d'], undefined, [`${text} efbfbd last`]],
    [[Buffer.alloc(0), 'a'], undefined, [`${binary} 61`, `${continuation}  last`]],
  ]
  for (const [source, kind, expected] of cases) {
    const sender = new FakeSender()
    await sendStream(sender, source, kind)
    t.strictSame(sender.calls.slice(2), expected)
  }
})

t.test('only a high surrogate waits for the next piece', async t => {
  const halves: [half: string, waits: boolean][] = [['\ud7ff', false], ['\ud800', true], ['\udbff', true], ['\udc00', false], ['\udfff', false]]
  for (const [half, waits] of halves) {
    const sender = new FakeSender()
    await sendStream(sender, [`a${half}`, 'b'], undefined)
    const first = hex(Buffer.from(waits ? 'a' : `a${half}`))
    t.equal(sender.calls[2], `${text} ${first}`, half.charCodeAt(0).toString(16))
  }
})

t.test('where the transport is full nothing more is asked of the source until it takes more', async t => {
  const sender = new FakeSender()
  sender.full = true
  let asked = 0
  function* source(): Generator<string> {
    for (const piece of ['a', 'b']) {
      asked++
      yield piece
    }
  }
  const sending = sendStream(sender, source(), undefined)
  await turn()
  t.strictSame([sender.calls.at(-1), asked], ['wait', 1])
  sender.onTaken()
  await turn()
  t.strictSame([sender.calls.slice(-2), asked], [[`${continuation} 62`, 'wait'], 2])
  sender.onTaken()
  await within(sending, 'the end')
  t.equal(sender.calls.at(-1), `${continuation}  last`, 'nobody waits behind the last part')
})

t.test('a source that fails: given up, and the error goes on', async t => {
  const sender = new FakeSender()
  const error = new Error('out of pieces')
  const source = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) }
  await t.rejects(sendStream(sender, source, undefined), error)
  t.strictSame(sender.calls, ['begin', 'while open', 'give up'])
})

t.test('a turn that never comes: nothing is asked of the source, and nothing given up', async t => {
  const sender = new FakeSender()
  sender.closed = true
  await t.rejects(sendStream(sender, { [Symbol.iterator]: () => t.fail('asked') as never }, undefined), { message: 'closed' })
  t.strictSame(sender.calls, ['begin'])
})

/** An iterator that is its own iterable, as generators are. */
class Endless implements AsyncIterableIterator<string> {
  readonly calls: string[] = []
  readonly #onReturn: () => Promise<never>

  constructor(onReturn: () => Promise<never> = () => new Promise(() => {})) {
    this.#onReturn = onReturn
  }

  [Symbol.asyncIterator](): this {
    this.calls.push('iterate')
    return this
  }

  next(): Promise<IteratorResult<string, undefined>> {
    this.calls.push('next')
    return this.calls.length === 2 ? Promise.resolve({ done: false, value: 'a' }) : new Promise(() => {})
  }

  return(): Promise<never> {
    this.calls.push('return')
    return this.#onReturn()
  }
}

t.test('a turn that never comes: a source that holds something is let go, without asking for an iterator', async t => {
  const sender = new FakeSender()
  sender.closed = true
  const message = 'closed'
  const endless = new Endless()
  await t.rejects(within(sendStream(sender, endless, undefined), 'the end'), { message })
  t.strictSame(endless.calls, ['return'])
  const readable = new Readable({ read() {} })
  await t.rejects(sendStream(sender, readable, undefined), { message })
  t.equal(readable.destroyed, true)
  let cancelled = false
  const web = new ReadableStream<string>({ cancel: () => void (cancelled = true) })
  await t.rejects(sendStream(sender, web, undefined), { message })
  t.equal(cancelled, true)
})

t.test('an end while the source has nothing to give: it is let go, and what it says to that is not waited for', async t => {
  const message = 'the connection ended'
  for (const onReturn of [undefined, () => Promise.reject(new Error('not now')), () => { throw new Error('nor then') }]) {
    const endless = new Endless(onReturn)
    const sender = new FakeSender()
    sender.whileOpen = async () => {
      await turn()
      throw new Error(message)
    }
    await t.rejects(within(sendStream(sender, endless, undefined), 'the end'), { message })
    t.strictSame(endless.calls, ['iterate', 'next', 'next', 'return'])
    await turn()
  }
  const sender = new FakeSender()
  sender.whileOpen = work => {
    work.catch(() => {})
    return Promise.reject(new Error(message))
  }
  const readable = new Readable({ read() {} })
  await t.rejects(sendStream(sender, readable, undefined), { message })
  t.equal(readable.destroyed, true)
  const bare = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
  await t.rejects(sendStream(sender, bare, undefined), { message }, 'one that has no return')
})

t.test('a piece that can not be sent: the source is told once', async t => {
  const endless = new Endless()
  endless.next = () => Promise.resolve({ done: false, value: 5 as unknown as string })
  await t.rejects(within(sendStream(new FakeSender(), endless, undefined), 'the end'), { code: 'invalid-argument' })
  t.strictSame(endless.calls, ['iterate', 'return'])
})

t.test('a source that has failed or come to its end is not told', async t => {
  const failing = new Endless()
  failing.next = () => Promise.reject(new Error('out of pieces'))
  await t.rejects(sendStream(new FakeSender(), failing, undefined), { message: 'out of pieces' })
  t.strictSame(failing.calls, ['iterate'])
  const ending = new Endless()
  ending.next = () => Promise.resolve({ done: true, value: undefined })
  const sender = new FakeSender()
  sender.sendPart = () => {
    throw new Error('closed')
  }
  await t.rejects(sendStream(sender, ending, undefined), { message: 'closed' })
  t.strictSame(ending.calls, ['iterate'])
})

t.test('a stream that fails before its turn: the error comes with the turn', async t => {
  const sender = new FakeSender()
  let begin: () => void = () => {}
  sender.beginParts = () => new Promise(resolve => (begin = resolve))
  const readable = new Readable({ read() {} })
  const sending = sendStream(sender, readable, undefined)
  readable.destroy(new Error('no such file'))
  await turn()
  begin()
  await t.rejects(within(sending, 'the end'), { message: 'no such file' })
})

t.test('promises in an array are waited for', async t => {
  const sender = new FakeSender()
  await sendStream(sender, [Promise.resolve('a'), 'b'] as string[], undefined)
  t.strictSame(sender.calls.slice(2), [`${text} 61`, `${continuation} 62`, `${continuation}  last`])
})

t.test('bytes go as they are, without a copy', async t => {
  const large = Buffer.alloc(100_000)
  let sent: Uint8Array | undefined
  const sender = new FakeSender()
  sender.sendPart = (_, data) => {
    sent ??= data
    return true
  }
  await sendStream(sender, [large], undefined)
  t.equal(sent?.buffer, large.buffer)
})

t.test('a piece that was sent is not kept while the source has nothing more to give', async t => {
  const SIZE = 8 * 1024 * 1024
  for (const piece of [(): Buffer => Buffer.alloc(SIZE), (): string => 'x'.repeat(SIZE)]) {
    let sent = 0
    const sender = Object.assign(new FakeSender(), {
      sendPart(_: Opcode, data: Uint8Array): boolean {
        sent += data.length
        return true
      },
    })
    let silent = false
    const source = async function* (): AsyncGenerator<string | Buffer> {
      yield piece()
      silent = true
      await new Promise(() => {})
    }
    const before = held()
    void sendStream(sender, source(), undefined)
    while (!silent) await turn()
    t.equal(sent, SIZE)
    // Promises that have settled are let go a turn later.
    await turn()
    const kept = held() - before
    t.ok(kept < SIZE / 2, `${kept} bytes`)
  }
})
