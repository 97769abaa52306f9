import t from 'tap'
import { isThenable } from '../../lib/transport/thenable.ts'

t.test('promises are thenables, of Node and of others', async t => {
  for (const value of [Promise.resolve(), (async () => {})(), { then() {} }, Object.create({ then() {} })]) {
    t.equal(isThenable(value), true)
  }
})

t.test('nothing else is', async t => {
  for (const value of [undefined, null, 0, '', 'then', true, {}, [], { then: 5 }, () => {}, Symbol('then')]) {
    t.equal(isThenable<unknown>(value), false, String(value))
  }
})
