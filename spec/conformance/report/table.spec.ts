import t from 'tap'
import { formatTables } from '../../../lib/conformance/report/table.ts'
import { Results } from '../../../lib/conformance/results.ts'
import { resultOf } from '../result-of.ts'

function resultsOf(...list: ReturnType<typeof resultOf>[]): Results {
  const results = new Results()
  for (const result of list) results.add(result)
  return results
}

t.test('a row for each group that was run, their sum, and what failed', async t => {
  const results = resultsOf(
    resultOf('1.1.1'),
    resultOf('1.1.2', { behaviorClose: 'UNCLEAN', resultClose: 'Not clean.' }),
    resultOf('6.4.1', { behavior: 'NON-STRICT' }),
    resultOf('7.13.1', { behavior: 'INFORMATIONAL', behaviorClose: 'INFORMATIONAL' }),
    resultOf('10.1.1', { behavior: 'FAILED', result: 'Nothing came.' }),
    resultOf('12.1.1', { behavior: 'UNIMPLEMENTED' })
  )
  t.same(formatTables(results).split('\n'), [
    'some',
    '                         cases  OK  NON-STRICT  INFORMATIONAL  UNIMPLEMENTED  FAILED',
    ' 1  Framing                  2   1           ·              ·              ·       1',
    ' 6  Text as UTF-8            1   ·           1              ·              ·       ·',
    ' 7  Closing                  1   ·           ·              1              ·       ·',
    '10  Automatic fragments      1   ·           ·              ·              ·       1',
    '12  Compression: data        1   ·           ·              ·              1       ·',
    '    all                      6   1           1              1              1       2',
    'failed:',
    '  1.1.2   close UNCLEAN: Not clean.',
    '  10.1.1  Nothing came.',
    '',
  ])
})

t.test('both sets, and how many of each', async t => {
  const results = resultsOf(
    resultOf('1.1.1'),
    resultOf('1.1.2'),
    resultOf('20.1.1'),
    resultOf('21.1.1', { behavior: 'NON-STRICT' })
  )
  t.same(formatTables(results).split('\n'), [
    'some',
    '                        cases  OK  NON-STRICT  INFORMATIONAL  UNIMPLEMENTED  FAILED',
    ' 1  Framing                 2   2           ·              ·              ·       ·',
    '    Autobahn                2   2           ·              ·              ·       ·',
    '20  Masking                 1   1           ·              ·              ·       ·',
    '21  More reserved bits      1   ·           1              ·              ·       ·',
    '    beyond Autobahn         2   1           1              ·              ·       ·',
    '    all                 2 + 2   3           1              ·              ·       ·',
    '',
  ])
})

t.test('a run that was stopped', async t => {
  const results = resultsOf(resultOf('1.1.1'), resultOf('1.1.1', { agent: 'other' }))
  results.stop('some', 517)
  t.match(formatTables(results), /^some: stopped after 1 of 517 cases\n[^]*\nother\n/)
})

t.test('several agents, and a quick run', async t => {
  const text = formatTables(resultsOf(resultOf('1.1.1'), resultOf('12.1.1', { agent: 'other', quick: true })))
  t.match(text, /^some\n[^]*\n\nother \(quick: 50 messages, not 1,000, in the compressed cases\)\n/)
  t.notMatch(text, /failed:/)
})

t.test('of many failures the first 30 are listed', async t => {
  const ids = Array.from({ length: 16 }, (_, at) => `1.${1 + Math.floor(at / 8)}.${(at % 8) + 1}`)
  const more = Array.from({ length: 18 }, (_, at) => `12.1.${at + 1}`)
  const text = formatTables(resultsOf(...[...ids, ...more].map(id => resultOf(id, { behavior: 'FAILED' }))))
  t.equal(text.split('\n').filter(line => /^ {2}\d/.test(line)).length, 30)
  t.match(text, /\n {2}… and 4 more\n$/)
})
