import t from 'tap'
import { selectCases } from '../../lib/conformance/select.ts'

function ids(...parameters: Parameters<typeof selectCases>): string[] {
  return selectCases(...parameters).map(({ id }) => id)
}

t.test('all, without a choice', async t => {
  t.equal(ids({}).length, 517)
  t.equal(ids({ cases: undefined, exclude: undefined }).length, 517)
})

t.test('numbers and stars, in the order of the cases', async t => {
  t.same(ids({ cases: ['7.1.1', ' 6.4.* '] }), ['6.4.1', '6.4.2', '6.4.3', '6.4.4', '7.1.1'])
  t.equal(ids({ cases: ['1*'] }).length, 16 + 1 + 90 + 126)
  t.equal(ids({ cases: ['1.*'] }).length, 16, 'a dot is a dot')
  t.equal(ids({ cases: ['13.*.4'] }).length, 7)
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
