import { runInNewContext } from 'node:vm'
import t from 'tap'
import { isPlain } from '../../lib/protocol/plain-object.ts'

t.test('plain is what is written in braces, in any realm, or has no prototype', async t => {
  for (const value of [{}, { a: 1 }, Object.create(null), runInNewContext('({ a: 1 })')]) t.equal(isPlain(value), true)
})

t.test('what has a class, and what is no object, is not plain', async t => {
  const others = [new Date(), new Map(), [], /a/, Buffer.alloc(1), Object.create({}), () => {}, null, undefined, 'a', 1]
  for (const value of others) t.equal(isPlain(value), false, String(value))
})
