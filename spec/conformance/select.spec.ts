import t from 'tap'
import { selectCases, type Selection } from '../../lib/conformance/select.ts'

function ids(selection: Selection, tests: 'server' | 'client' = 'server'): string[] {
  return selectCases(selection, tests).map(({ id }) => id)
}

t.test('all, without a choice', async t => {
  for (const tests of ['server', 'client'] as const) {
    const all = ids({}, tests)
    t.same(all, ids({ cases: undefined, exclude: undefined }, tests))
    t.same(all.slice(0, 517), ids({ cases: ['autobahn'] }, tests), 'first the cases of Autobahn')
    t.same(all.slice(517), ids({ cases: ['beyond'] }, tests))
    t.ok(all.length >= 517 + 200)
  }
})

t.test('what only the other one can be asked is left out', async t => {
  t.ok(ids({}, 'server').includes('27.1.1'))
  t.notOk(ids({}, 'client').includes('27.1.1'))
  t.ok(ids({}, 'client').includes('28.1.1'))
  t.notOk(ids({}, 'server').includes('28.1.1'))
  t.same(ids({ cases: ['21.1.*'] }, 'server'), ids({ cases: ['21.1.*'] }, 'client'))
  t.throws(() => ids({ cases: ['28.*'] }, 'server'), { code: 'invalid-option', message: /leave no case for a server/ })
})

t.test('numbers and stars, in the order of the cases', async t => {
  t.same(ids({ cases: ['7.1.1', ' 6.4.* '] }), ['6.4.1', '6.4.2', '6.4.3', '6.4.4', '7.1.1'])
  t.equal(ids({ cases: ['1*'] }).length, 16 + 1 + 90 + 126)
  t.equal(ids({ cases: ['1.*'] }).length, 16, 'a dot is a dot')
  t.equal(ids({ cases: ['13.*.4'] }).length, 7)
  t.equal(ids({ exclude: ['beyond'] }).length, 517)
})

t.test('without those left out', async t => {
  t.same(ids({ cases: ['6.4.*'], exclude: ['6.4.2', '*.4'] }), ['6.4.1', '6.4.3'])
})

t.test('a pattern that means nothing, or a choice that leaves nothing', async t => {
  t.throws(() => ids({ cases: ['6.4'] }), { code: 'invalid-option', message: /cases: "6\.4" means no case/ })
  t.throws(() => ids({ cases: [''] }), { code: 'invalid-option' })
  t.throws(() => ids({ exclude: ['8.*'] }), { code: 'invalid-option', message: /exclude: "8\.\*"/ })
  t.throws(() => ids({ cases: ['1.*'], exclude: ['*'] }), { code: 'invalid-option', message: /leave no case/ })
})
