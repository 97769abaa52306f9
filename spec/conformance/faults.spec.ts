import t from 'tap'
import { runAgainstServer } from '../../lib/conformance/against-server.ts'
import { BEYOND } from '../../lib/conformance/beyond/index.ts'
import { subgroupOf } from '../../lib/conformance/cases/index.ts'
import { selectCases } from '../../lib/conformance/select.ts'
import { faultProxy } from './fault-proxy.ts'
import { FAULTY_PEERS } from './faults.ts'
import { expected, ownServer, runOwnClient, verdicts } from './own-peers.ts'

// Can the second set fail? One peer for each rule: the cases that name the rule have to find it, and no other may.

// Most of their time they wait.
t.jobs = 6
for (const { name, fault, tests, cases, found } of FAULTY_PEERS) {
  for (const role of tests) {
    t.test(`a ${role} that ${name}`, async t => {
      if (role === 'client') {
        t.same(verdicts(await runOwnClient(t, cases, fault)), expected('client', cases, found))
        return
      }
      const proxy = await faultProxy(await ownServer(t), fault, 'server')
      t.teardown(() => proxy.close())
      const results = await runAgainstServer(`ws://127.0.0.1:${proxy.port}/`, { cases })
      t.same(verdicts(results), expected('server', cases, found))
    })
  }
}

t.test('every subgroup has a peer that it finds something in', async t => {
  const found = new Set(
    FAULTY_PEERS.flatMap(peer =>
      peer.tests.flatMap(role =>
        Object.values(peer.found).flatMap(ids => selectCases({ cases: ids }, role).map(({ id }) => subgroupOf(id)))
      )
    )
  )
  t.same(
    [...new Set(BEYOND.map(({ id }) => subgroupOf(id)))].filter(subgroup => !found.has(subgroup)),
    ['29.6'],
    'but for what is left open'
  )
})
