import t from 'tap'
import { Results, stemOf } from '../../lib/conformance/results.ts'
import { resultOf } from './result-of.ts'

t.test('by agent and case, in the order of the cases', async t => {
  const results = new Results()
  for (const id of ['10.1.1', '2.10', '2.9', '1.1.1']) results.add(resultOf(id))
  results.add(resultOf('2.9', { agent: 'other' }))
  t.same(results.agents, ['some', 'other'])
  t.same(
    results.list('some').map(({ id }) => id),
    ['1.1.1', '2.9', '2.10', '10.1.1']
  )
  t.equal(results.list().length, 5)
  t.same(results.list('nobody'), [])
  t.match(results.get('other', '2.9'), { agent: 'other', id: '2.9' })
  t.equal(results.get('other', '1.1.1'), undefined)
  results.add(resultOf('2.9', { behavior: 'FAILED' }))
  t.equal(results.list('some').length, 4, 'a later result takes the place of an earlier one')
  t.same(
    results.failed.map(({ id, agent }) => `${id} ${agent}`),
    ['2.9 some']
  )
})

t.test("Autobahn's index", async t => {
  const results = new Results()
  results.add(resultOf('1.1.1', { agent: 'My Server/1.0', duration: 7, remoteCloseCode: 1000 }))
  results.add(resultOf('6.4.1', { agent: 'My Server/1.0', behavior: 'NON-STRICT', remoteCloseCode: null }))
  t.same(results.index, {
    'My Server/1.0': {
      '1.1.1': {
        behavior: 'OK',
        behaviorClose: 'OK',
        duration: 7,
        remoteCloseCode: 1000,
        reportfile: 'my_server_1_0_case_1_1_1.json',
      },
      '6.4.1': {
        behavior: 'NON-STRICT',
        behaviorClose: 'OK',
        duration: 1,
        remoteCloseCode: null,
        reportfile: 'my_server_1_0_case_6_4_1.json',
      },
    },
  })
})

t.test('no two agents have files of the same name', async t => {
  const results = new Results()
  const agents = [' ../x ', 'ws 8', 'ws-8', 'WS 8', '服务器', 'сервер', 'ws 8']
  for (const agent of agents) results.add(resultOf('1.1.1', { agent }))
  const files = agents.map(agent => results.fileOf({ agent, id: '1.1.1' }))
  t.match(files, [
    'x_case_1_1_1.json',
    'ws_8_case_1_1_1.json',
    /^ws_8_[0-9a-f]{8}_case_1_1_1\.json$/,
    /^ws_8_[0-9a-f]{8}_case_1_1_1\.json$/,
    /^agent_[0-9a-f]{8}_case_1_1_1\.json$/,
    /^agent_[0-9a-f]{8}_case_1_1_1\.json$/,
    'ws_8_case_1_1_1.json',
  ])
  t.equal(new Set(files).size, 6)
  t.same(
    Object.values(results.index).map(cases => cases['1.1.1'].reportfile),
    files.slice(0, 6)
  )
})

t.test('an agent keeps the names that its files have', async t => {
  const results = new Results()
  results.add(resultOf('1.1.1', { agent: 'ws-8' }), 'ws_8_0123')
  results.add(resultOf('1.1.2', { agent: 'ws-8' }))
  results.add(resultOf('1.1.1', { agent: 'ws 8' }))
  t.equal(results.fileOf({ agent: 'ws-8', id: '1.1.2' }), 'ws_8_0123_case_1_1_2.json')
  t.equal(results.fileOf({ agent: 'ws 8', id: '1.1.2' }), 'ws_8_case_1_1_2.json')
  t.equal(stemOf('ws_8_0123_case_1_1_2.json', '1.1.2'), 'ws_8_0123')
  t.equal(stemOf('ws_8_0123_case_1_1_2.json', '1.1.1'), undefined)
})

t.test('runs that ended early', async t => {
  const results = new Results()
  results.add(resultOf('1.1.1'))
  results.add(resultOf('1.1.1', { agent: 'whole' }))
  results.stop('some', 517)
  results.stop('none', 3)
  t.same(results.stopped, ['some', 'none'])
  t.same(['some', 'none', 'whole'].map(agent => results.stopOf(agent)), [
    'stopped after 1 of 517 cases',
    'stopped after 0 of 3 cases',
    undefined,
  ])
  t.same(results.agents, ['some', 'whole'])
})

t.test('waiting for a result', async t => {
  const results = new Results()
  const told: string[] = []
  results.whenDone('some', '1.1.1', ({ id }) => told.push(id))
  const forget = results.whenDone('some', '1.1.1', () => told.push('forgotten'))
  results.whenDone('other', '1.1.1', () => told.push('another agent'))
  forget()
  t.same(told, [])
  results.add(resultOf('1.1.1'))
  t.same(told, ['1.1.1'])
  results.add(resultOf('1.1.1'))
  t.same(told, ['1.1.1'], 'told once')
  results.whenDone('some', '1.1.1', () => told.push('at once'))()
  t.same(told, ['1.1.1', 'at once'])
})
