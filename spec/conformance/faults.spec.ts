import t from 'tap'
import { runAgainstServer } from '../../lib/conformance/against-server.ts'
import { BEYOND } from '../../lib/conformance/beyond/index.ts'
import type { ProbeCase } from '../../lib/conformance/case.ts'
import { subgroupOf } from '../../lib/conformance/cases/index.ts'
import { judge, type Observed } from '../../lib/conformance/probe.ts'
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

/** The cases that a peer in one role is found by: `client 20.2.1`. */
const FOUND = new Set(
  FAULTY_PEERS.flatMap(peer =>
    peer.tests.flatMap(role =>
      Object.values(peer.found).flatMap(ids => selectCases({ cases: ids }, role).map(({ id }) => `${role} ${id}`))
    )
  )
)

t.test('every subgroup has a peer that it finds something in', async t => {
  const found = new Set([...FOUND].map(line => subgroupOf(line.split(' ')[1])))
  t.same(
    [...new Set(BEYOND.map(({ id }) => subgroupOf(id)))].filter(subgroup => !found.has(subgroup)),
    ['29.6'],
    'but for what is left open'
  )
})

/** What a peer in a role can be seen to do: who was reset can do one thing only. */
function observations({ steps }: ProbeCase, role: 'server' | 'client'): Observed[] {
  const events = [{ is: 'pong', payload: Buffer.from('not asked for') } as const]
  const closes = { ending: 'closes', code: undefined, events } as const
  if (steps.some(step => step.do === 'reset')) return [closes]
  const open = [closes, { ...closes, code: 4999 }, { ...closes, ending: 'answers' }, { ...closes, ending: 'waits' }] as const
  return role === 'client' ? [...open] : [...open, { ...closes, ending: 'refuses', code: 200 }]
}

for (const role of ['server', 'client'] as const) {
  t.test(`every case for a ${role} can fail`, async t => {
    const cases = BEYOND.filter(({ tests }) => tests === 'both' || tests === role)
    const canFail = (one: ProbeCase): boolean =>
      observations(one, role).some(observed => judge(one, observed).behavior === 'FAILED')
    t.same(
      cases.filter(one => !canFail(one) && !FOUND.has(`${role} ${one.id}`)).map(({ id }) => id),
      []
    )
  })
}
