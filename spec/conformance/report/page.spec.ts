import t from 'tap'
import { CASES } from '../../../lib/conformance/cases/index.ts'
import { formatPage } from '../../../lib/conformance/report/page.ts'
import { Results } from '../../../lib/conformance/results.ts'
import { resultOf } from '../result-of.ts'

interface Data {
  readonly quick: boolean
  readonly agents: readonly string[]
  readonly stops: readonly string[]
  readonly titles: Readonly<Record<string, string>>
  readonly cases: readonly {
    readonly id: string
    readonly set: string
    readonly group: string
    readonly subgroup: string
    readonly close: string
    readonly results: readonly ({ verdict: string; log: [number, string, string][] } | null)[]
  }[]
}

function resultsOf(...list: ReturnType<typeof resultOf>[]): Results {
  const results = new Results()
  for (const result of list) results.add(result)
  return results
}

function dataOf(page: string): Data {
  return JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)?.[1] ?? '') as Data
}

t.test('one file that loads nothing, and says so to the browser', async t => {
  const page = formatPage(resultsOf(resultOf('1.1.1')))
  t.match(page, /^<!doctype html>/)
  t.match(
    page,
    /http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"/
  )
  t.notMatch(page, /(?:src|href)=/)
  t.notMatch(page, /https?:\/\//)
  t.match(page, /prefers-color-scheme: dark/)
  t.match(page, /max-width: 44rem/)
})

t.test('every case with the results of every agent, or none', async t => {
  const page = formatPage(
    resultsOf(
      resultOf('1.1.1'),
      resultOf('6.4.1', { behavior: 'NON-STRICT' }),
      resultOf('1.1.1', { agent: 'other', behaviorClose: 'UNCLEAN' }),
      resultOf('3.1', { agent: 'other' })
    )
  )
  const data = dataOf(page)
  t.same(data.agents, ['some', 'other'])
  t.equal(data.quick, false)
  t.same(
    data.cases.map(({ id, group, subgroup }) => [id, group, subgroup]),
    [
      ['1.1.1', '1', '1.1'],
      ['3.1', '3', '3'],
      ['6.4.1', '6', '6.4'],
    ]
  )
  t.same(
    data.cases.map(({ results }) => results.map(one => one?.verdict ?? null)),
    [
      ['OK', 'FAILED'],
      [null, 'OK'],
      ['NON-STRICT', null],
    ]
  )
  t.same(
    data.cases.map(({ close }) => close),
    [
      'The tester closes; code 1000, or none; cleanly.',
      'The peer closes; code 1002, or none.',
      'The peer closes; code 1007, or none.',
    ]
  )
  t.match(data.titles, { 6: 'Text as UTF-8' })
  t.equal(dataOf(formatPage(resultsOf(resultOf('12.1.1', { quick: true })))).quick, true)
})

t.test('a run that was stopped', async t => {
  const results = resultsOf(resultOf('1.1.1'), resultOf('1.1.1', { agent: 'other' }))
  results.stop('other', 517)
  t.same(dataOf(formatPage(results)).stops, ['', 'stopped after 1 of 517 cases'])
  t.match(formatPage(results), /data\.stops\.forEach/)
})

t.test('both sets', async t => {
  const { cases } = dataOf(formatPage(resultsOf(resultOf('20.1.1'), resultOf('1.1.1'))))
  t.same(
    cases.map(({ id, set, close }) => [id, set, close !== '']),
    [
      ['1.1.1', 'Autobahn', true],
      ['20.1.1', 'Beyond Autobahn', false],
    ]
  )
})

t.test('what comes from a peer can not end the script, and is nothing to String.replace', async t => {
  const nasty = '</script><script>alert(1)</script><!-- $& $\' "the results"'
  const page = formatPage(resultsOf(resultOf('1.1.1', { agent: nasty, received: [nasty] })))
  t.equal(page.split('<script').length, 3, 'the two of the page itself')
  t.same(dataOf(page).agents, [nasty])
})

t.test('logs are cut, but not those of failures', async t => {
  const wirelog = Array.from({ length: 61 }, (_, at) => ({ at, side: 'peer' as const, line: String(at) }))
  const data = dataOf(
    formatPage(
      resultsOf(
        resultOf('1.1.1', { wirelog }),
        resultOf('1.1.2', { wirelog, behavior: 'FAILED' }),
        resultOf('1.1.3', { wirelog: wirelog.slice(0, 19) })
      )
    )
  )
  const logs = data.cases.map(({ results: [one] }) => (one?.log ?? []).map(([, , line]) => line))
  t.same(logs[0], [
    ...Array.from({ length: 12 }, (_, at) => String(at)),
    "… 43 lines more in the case's file …",
    '55',
    '56',
    '57',
    '58',
    '59',
    '60',
  ])
  t.equal(logs[1].length, 61)
  t.equal(logs[2].length, 19)
})

t.test('all cases of four agents are a few megabytes', async t => {
  const results = new Results()
  const wirelog = Array.from({ length: 61 }, (_, at) => ({
    at: at * 1.1,
    side: 'tester' as const,
    line: `binary, fin, RSV1, 131,072 bytes: ${'00 '.repeat(32)}…`,
  }))
  for (const agent of ['a', 'b', 'c', 'd']) for (const { id } of CASES) results.add(resultOf(id, { agent, wirelog }))
  const size = formatPage(results).length / 2 ** 20
  t.ok(size < 8, `${size.toFixed(1)} MiB, with the longest log in every case`)
})
