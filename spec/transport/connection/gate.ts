import t from 'tap'
import { connected } from '../../helpers/connected.ts'
import { closeFrame, frame } from '../../helpers/frames.ts'
import { turn } from '../../helpers/journal.ts'

const texts = (...all: string[]): string[] => all.map(each => frame('81', each))

/** A gate that a message `shut` closes. */
class HandGate {
  closed = false
  readonly waiting = new Set<{ passGate(): void }>()

  wait(connection: { passGate(): void }): void {
    this.waiting.add(connection)
  }

  open(): void {
    this.closed = false
    this.pass()
  }

  pass(): void {
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const each of waiting) each.passGate()
  }
}

t.test('behind the message that closed the gate nothing is handed over until it is open', async t => {
  const gate = new HandGate()
  const shut = { message: (_: unknown, data: unknown) => void (data === 'shut' && (gate.closed = true)) }
  const { journal, transport, feed } = connected(t, shut, { gate })
  feed(...texts('a', 'shut', 'b', 'c'))
  feed(...texts('d'))
  await turn()
  t.strictSame(journal.lines, ['open', 'text a', 'text shut'])
  t.equal(transport.isPaused(), true, 'the peer is slowed down')
  t.equal(gate.waiting.size, 1)
  gate.open()
  t.strictSame(await journal.reach(6), ['open', 'text a', 'text shut', 'text b', 'text c', 'text d'])
  t.equal(transport.isPaused(), false)
})

t.test('closed by somebody else: not a message of the next read, and one each time that it may pass', async t => {
  const gate = new HandGate()
  const { journal, feed } = connected(t, {}, { gate })
  await turn()
  gate.closed = true
  feed(...texts('a', 'b', 'c'))
  await turn()
  t.strictSame(journal.lines, ['open'])
  for (const count of [2, 3]) {
    gate.pass()
    await turn()
    t.equal(journal.lines.length, count, 'nobody starves')
  }
  gate.open()
  t.strictSame(await journal.reach(4), ['open', 'text a', 'text b', 'text c'])
})

t.test('the messages of a stream count as well', async t => {
  const gate = new HandGate()
  const { connection, transport, feed } = connected(t, {}, { gate })
  const seen: number[] = []
  const reading = (async () => {
    for await (const message of connection.messages({ stream: true })) {
      let size = 0
      for await (const piece of message) size += piece.length
      seen.push(size)
      gate.closed = size === 2
    }
  })()
  await turn()
  feed(...texts('a', 'bb'))
  await turn()
  feed(...texts('ccc'))
  await turn()
  t.strictSame(seen, [1, 2])
  t.equal(transport.isPaused(), true)
  gate.open()
  await turn()
  t.strictSame(seen, [1, 2, 3])
  connection.terminate()
  await t.rejects(reading, { code: 'connection-closed' })
})

t.test('while it waits it can be closed, and what came before the peer’s close frame is handed over', async t => {
  const gate = new HandGate()
  const { connection, journal, feed } = connected(t, {}, { gate })
  await turn()
  gate.closed = true
  feed(...texts('a', 'b'), closeFrame(1000))
  connection.close(1000)
  await turn()
  t.strictSame(journal.lines, ['open'])
  gate.open()
  await journal.until('close')
  t.strictSame(journal.lines.slice(0, 4), ['open', 'text a', 'text b', 'close 1000'])
})

t.test('one that is over waits for nothing', async t => {
  const gate = new HandGate()
  const { connection, journal, feed } = connected(t, {}, { gate })
  await turn()
  connection.terminate()
  await journal.until('gone')
  gate.closed = true
  feed(...texts('a'))
  await turn()
  t.equal(gate.waiting.size, 0)
})
