import t from 'tap'
import { readFileSync } from 'node:fs'
import { runAgainstServer } from '../../../lib/conformance/against-server.ts'
import { BEYOND } from '../../../lib/conformance/beyond/index.ts'
import { groupOf, subgroupOf, TITLES } from '../../../lib/conformance/cases/index.ts'
import { selectCases } from '../../../lib/conformance/select.ts'
import { expected, ownServer, runOwnClient, verdicts } from '../own-peers.ts'

t.test('numbers, titles, rules', async t => {
  t.ok(BEYOND.length >= 250)
  const counts = new Map<string, number>()
  for (const { id, sends, expects, allowed } of BEYOND) {
    const subgroup = subgroupOf(id)
    const number = (counts.get(subgroup) ?? 0) + 1
    counts.set(subgroup, number)
    if (id !== `${subgroup}.${number}` || !(subgroup in TITLES)) t.fail(`${id} is number ${number} of ${subgroup}`)
    if (!/^RFC \d{4}, \d.*: .*\.$/.test(expects)) t.fail(`${id}: ${expects}`)
    if (!/^[A-Z"1-9].*\.$|^Sec-/.test(sends)) t.fail(`${id}: ${sends}`)
    if (allowed.length === 0) t.fail(`${id} allows nothing`)
  }
  t.equal(new Set(BEYOND.map(({ id }) => id)).size, BEYOND.length, 'each number once')
  t.same(
    BEYOND.map(({ id }) => id.split('.').map(Number)),
    BEYOND.map(({ id }) => id.split('.').map(Number)).sort(([a, b, c], [x, y, z]) => a - x || b - y || c - z)
  )
})

t.test('the page about it has the right numbers', async t => {
  const page = readFileSync(new URL('../../../docs/reference/conformance.md', import.meta.url), 'utf8')
  const counts = (['server', 'client'] as const).map(tests => selectCases({ cases: ['beyond'] }, tests).length)
  t.match(page, `and ${counts[0]} more for what that leaves out; or serves\n517 + ${counts[1]} cases to any client`)
  t.match(page, `\`${517 + counts[1]}\`; with`)
  for (const group of new Set(BEYOND.map(({ id }) => groupOf(id)))) {
    const number = (tests: 'server' | 'client'): number =>
      BEYOND.filter(one => groupOf(one.id) === group && [tests, 'both'].includes(one.tests)).length
    t.match(
      page,
      `| ${group} ${TITLES[group]} | ${number('server') || ''} | ${number('client') || ''} |`.replaceAll('|  |', '| |')
    )
  }
})

t.test('our own server is OK, or INFORMATIONAL where that is the best there is', async t => {
  const results = await runAgainstServer(`ws://127.0.0.1:${await ownServer(t)}/`, { cases: ['beyond'] })
  t.same(verdicts(results), expected('server', ['beyond'], {}))
})

t.test('and so is our own client', async t => {
  t.same(verdicts(await runOwnClient(t, ['beyond'], {})), expected('client', ['beyond'], {}))
})
