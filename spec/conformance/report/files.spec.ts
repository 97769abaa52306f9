import t from 'tap'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { prepareReports, writeReports } from '../../../lib/conformance/report/files.ts'
import { Results } from '../../../lib/conformance/results.ts'
import { resultOf } from '../result-of.ts'

function resultsOf(...list: ReturnType<typeof resultOf>[]): Results {
  const results = new Results()
  for (const result of list) results.add(result)
  return results
}

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'))

t.test('an index, a file for each case, a page; the folder is made', async t => {
  const folder = join(t.testdir(), 'deep', 'er')
  const results = resultsOf(resultOf('1.1.1'), resultOf('6.4.1', { behavior: 'NON-STRICT' }))
  t.equal(writeReports(results, folder), join(folder, 'index.html'))
  t.same(readdirSync(folder).sort(), ['index.html', 'index.json', 'some_case_1_1_1.json', 'some_case_6_4_1.json'])
  t.same(readJson(join(folder, 'index.json')), results.index)
  t.same(readJson(join(folder, 'some_case_6_4_1.json')), results.get('some', '6.4.1'))
})

t.test('other agents stay, and are on the page; the same one is replaced', async t => {
  const folder = t.testdir()
  writeReports(resultsOf(resultOf('1.1.1'), resultOf('1.1.2')), folder)
  writeReports(resultsOf(resultOf('1.1.1', { agent: 'other' })), folder)
  t.same(Object.keys(readJson(join(folder, 'index.json')) as object), ['some', 'other'])
  const page = readFileSync(join(folder, 'index.html'), 'utf8')
  t.ok(page.includes('"agents":["some","other"]'))
  writeReports(resultsOf(resultOf('1.2.1')), folder)
  t.match(readJson(join(folder, 'index.json')), { some: { '1.2.1': {} }, other: { '1.1.1': {} } })
  t.same(Object.keys((readJson(join(folder, 'index.json')) as { some: object }).some), ['1.2.1'])
})

t.test('agents whose names are written alike do not destroy each other', async t => {
  const folder = t.testdir()
  const agents = ['ws 8', 'ws-8', '服务器', 'сервер']
  for (const agent of [...agents, ...agents.toReversed()]) {
    writeReports(resultsOf(resultOf('1.1.1', { agent, result: `${agent} again.` })), folder)
  }
  const index = readJson(join(folder, 'index.json')) as Results['index']
  t.same(Object.keys(index).sort(), agents.toSorted())
  for (const [agent, cases] of Object.entries(index)) {
    t.match(readJson(join(folder, cases['1.1.1'].reportfile)), { agent, result: `${agent} again.` })
  }
  t.equal(readdirSync(folder).length, 4 + 2, 'a run of an agent takes the place of its earlier files')
})

t.test('a run that was stopped', async t => {
  const folder = t.testdir()
  const stopped = (...list: ReturnType<typeof resultOf>[]): Results => {
    const results = resultsOf(...list)
    results.stop('some', 517)
    return results
  }
  const idsIn = (): string[] => Object.keys((readJson(join(folder, 'index.json')) as Results['index']).some)
  const isOnPage = (sentence: string): boolean => readFileSync(join(folder, 'index.html'), 'utf8').includes(sentence)

  t.same(prepareReports(stopped(resultOf('1.1.1')), folder).kept, [])
  writeReports(stopped(resultOf('1.1.1')), folder)
  t.ok(isOnPage('stopped after 1 of 517 cases'))
  writeReports(resultsOf(resultOf('1.1.1', { agent: 'other' })), folder)
  t.ok(isOnPage('stopped after 1 of 517 cases'), 'the folder knows it')
  writeReports(stopped(resultOf('1.1.1'), resultOf('1.1.2')), folder)
  t.same(idsIn(), ['1.1.1', '1.1.2'], 'it takes the place of one that was stopped too')

  const whole = resultsOf(...['1.1.1', '1.1.2', '1.1.3'].map(id => resultOf(id)))
  writeReports(whole, folder)
  t.notOk(isOnPage('stopped after'))
  const before = readFileSync(join(folder, 'some_case_1_1_1.json'), 'utf8')
  const late = stopped(resultOf('1.1.1', { behavior: 'FAILED' }))
  const reports = prepareReports(late, folder)
  t.same(reports.kept, ['some'])
  t.match(reports.index, { some: { '1.1.1': { behavior: 'FAILED' } } }, 'its own verdicts are told')
  reports.write()
  t.same(idsIn(), ['1.1.1', '1.1.2', '1.1.3'], 'but not that of a whole run')
  t.equal(readFileSync(join(folder, 'some_case_1_1_1.json'), 'utf8'), before)
  t.notOk(isOnPage('stopped after'))
})

t.test('the index of a run has the names that its files get', async t => {
  const folder = t.testdir()
  writeReports(resultsOf(resultOf('1.1.1', { agent: 'ws 8' })), folder)
  const { index } = prepareReports(resultsOf(resultOf('1.1.1', { agent: 'ws-8' })), folder)
  t.match(index, { 'ws-8': { '1.1.1': { reportfile: /^ws_8_[0-9a-f]{8}_case_1_1_1\.json$/ } } })
  t.same(Object.keys(index), ['ws-8'])
})

t.test('what is in the folder and can not be read is left out', async t => {
  const wrong = [
    'nonsense',
    '[]',
    'null',
    '{"a":{"1.1.1":{}}}',
    '{"a":{"1.1.1":{"reportfile":"../outside.json"}}}',
    '{"a":null}',
    '{"a":{"1.1.1":{"reportfile":"b_case_1_1_1.json"}}}',
    '{"b":{"1.1.2":{"reportfile":"b_case_1_1_1.json"}}}',
    '{"b":{"1.1.1":{"reportfile":"b.json"}}}',
  ]
  for (const text of wrong) {
    const other = JSON.stringify(resultOf('1.1.1', { agent: 'b' }))
    const base = t.testdir({
      'outside.json': JSON.stringify(resultOf('1.1.1', { agent: 'a' })),
      inner: { 'b_case_1_1_1.json': other, 'b.json': other },
    })
    const folder = join(base, 'inner')
    writeFileSync(join(folder, 'index.json'), text)
    writeReports(resultsOf(resultOf('1.1.1')), folder)
    t.same(Object.keys(readJson(join(folder, 'index.json')) as object), ['some'], text)
  }
  const folder = t.testdir({ 'index.json': '{"a":{"1.1.1":{"reportfile":"a.json"}}}', 'a.json': '{"behavior":"OK"}' })
  writeReports(resultsOf(resultOf('1.1.1')), folder)
  t.same(Object.keys(readJson(join(folder, 'index.json')) as object), ['some'], "another tool's report")
  t.ok(existsSync(join(folder, 'a.json')))
})
