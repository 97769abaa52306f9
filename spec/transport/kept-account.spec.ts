import t from 'tap'
import { clearWith, KeptAccount } from '../../lib/transport/kept-account.ts'
import { MemoryBudget } from '../../lib/transport/memory-budget.ts'
import { eventually } from '../helpers/journal.ts'
import { held } from '../helpers/memory.ts'

t.test('an account tells the budget of each change, and one without a budget counts for itself', async t => {
  const memory = new MemoryBudget(10_000)
  const accounts = [new KeptAccount(memory), new KeptAccount(memory), new KeptAccount(undefined)]
  for (const account of accounts) account.bytes = 300
  t.strictSame([memory.kept, memory.bytes], [600, 600])
  accounts[0].bytes += 50
  accounts[1].bytes = 0
  t.equal(memory.kept, 350)
  t.strictSame(accounts.map(({ bytes }) => bytes), [350, 0, 300])
})

t.test('an account is cleared when its owner is collected, and not before', async t => {
  const memory = new MemoryBudget(10_000)
  const [lost, kept] = [new KeptAccount(memory), new KeptAccount(memory)]
  lost.bytes = 1
  kept.bytes = 20
  const owner = {}
  clearWith({}, lost)
  clearWith(owner, kept)
  await eventually('the collection', () => {
    held()
    return memory.kept === 20
  })
  t.strictSame([lost.bytes, kept.bytes], [0, 20])
  t.ok(owner)
})
