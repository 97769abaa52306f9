// Callbacks run in the async context of their own connection, whoever causes them.
import { AsyncLocalStorage } from 'node:async_hooks'
import t, { type Test } from 'tap'
import { MemoryBudget } from '../../../lib/transport/memory-budget.ts'
import { connected, type Connected, type ConnectedOptions, type Handlers } from '../../helpers/connected.ts'
import { closeFrame, frame, masked } from '../../helpers/frames.ts'
import { eventually, turn } from '../../helpers/journal.ts'

const TEXT = '81'
const tenant = new AsyncLocalStorage<string>()

/** A connection that is made by a tenant, and in whose context each of its callbacks ran. */
function connectedBy(t: Test, name: string, options: ConnectedOptions = {}, handlers: Handlers = {}): Connected & { seen: Set<string> } {
  const seen = new Set<string>()
  const see = (what: string) => (): void => void seen.add(`${what} of ${name} in ${tenant.getStore()}`)
  const all: Handlers = {
    open: see('open'),
    message: see('message'),
    drain: see('drain'),
    pong: see('pong'),
    close: see('close'),
    ...handlers,
  }
  return { ...tenant.run(name, () => connected(t, all, options)), seen }
}

t.test('drain and close, where another flushes, reads or sends in the same tick', async t => {
  const [a, b] = [connectedBy(t, 'A'), connectedBy(t, 'B')]
  await turn()
  b.transport.stall()
  tenant.run('A', () => {
    a.connection.send('first')
    while (b.connection.send('x'.repeat(10_000)));
  })
  await turn()
  tenant.run('A', () => b.transport.goOn())
  await b.journal.until('drain')
  tenant.run('A', () => b.connection.terminate())
  await b.journal.until('gone')
  tenant.run('B', () => a.transport.push(Buffer.from(masked(closeFrame(1000)), 'hex')))
  t.strictSame([...b.seen], ['open of B in B', 'drain of B in B', 'close of B in B'])
})

t.test('messages that come when another resumes it', async t => {
  const b = connectedBy(t, 'B')
  await turn()
  b.connection.pause()
  tenant.run('B', () => b.feed(frame(TEXT, 'a')))
  await turn()
  tenant.run('A', () => b.connection.resume())
  await b.journal.until('text a')
  t.strictSame([...b.seen], ['open of B in B', 'message of B in B'])
})

t.test('the timer of all belongs to nobody: what ends in time ends in its own context', async t => {
  const limits = { idleTime: 200 }
  const [a, b] = [connectedBy(t, 'A', { limits }), connectedBy(t, 'B', { limits })]
  await b.journal.until('close 1001 idle')
  await a.journal.until('close 1001 idle')
  t.ok(a.seen.has('close of A in A'))
  t.ok(b.seen.has('close of B in B'))
})

t.test('one that is dropped for what another sends: behind that call, and in its own context', async t => {
  const memory = new MemoryBudget(100_000)
  const calls: string[] = []
  const [a, b] = ['A', 'B'].map(name =>
    connectedBy(t, name, { memory }, { close: () => void calls.push(`close of ${name} in ${tenant.getStore()}`) })
  )
  await turn()
  // B is in the middle of a message, which is all that it holds.
  b.feed(frame('01', Buffer.alloc(60_000)))
  a.transport.stall()
  tenant.run('A', () => {
    for (let i = 0; i < 8; i++) a.connection.send('x'.repeat(8_000))
    calls.push('sent')
  })
  await eventually('one of them to end', () => calls.length > 1)
  t.equal(calls[0], 'sent')
  for (const call of calls.slice(1)) t.match(call, /^close of (A in A|B in B)$/)
})
