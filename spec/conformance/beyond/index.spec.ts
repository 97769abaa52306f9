import t, { type Test } from 'tap'
import type { AddressInfo } from 'node:net'
import { runAgainstServer } from '../../../lib/conformance/against-server.ts'
import { BEYOND } from '../../../lib/conformance/beyond/index.ts'
import { subgroupOf, TITLES } from '../../../lib/conformance/cases/index.ts'
import type { Results } from '../../../lib/conformance/results.ts'
import { selectCases } from '../../../lib/conformance/select.ts'
import { serveCases } from '../../../lib/conformance/serve-cases.ts'
import { connect } from '../../../lib/client.ts'
import { WebSocketServer } from '../../../lib/server.ts'
import { faultProxy, type Fault } from '../fault-proxy.ts'
import { FAULTY_PEERS } from '../faults.ts'

// Can the second set fail? One peer for each rule: the cases that name the rule have to find it, and no other may.

async function ownServer(t: Test): Promise<number> {
  const server = new WebSocketServer({
    origins: 'any',
    compression: { threshold: 0 },
    message: (socket, data) => void socket.send(data),
  })
  t.teardown(() => server.close({ timeout: 0 }))
  return ((await server.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo).port
}

/** Our own client through cases, four at a time; behind a proxy that makes it faulty, or without one. */
async function runOwnClient(t: Test, cases: readonly string[], fault: Fault): Promise<Results> {
  const count = selectCases({ cases }, 'client').length
  const { promise, resolve } = withResolvers()
  const server = await serveCases({ port: 0, cases, progress: ({ done, total }) => done === total && resolve() })
  t.teardown(() => server.close())
  const proxy = await faultProxy(server.port, fault, 'client')
  t.teardown(() => proxy.close())
  const next = Array.from({ length: count }, (_, index) => index + 1).values()
  const one = async (): Promise<void> => {
    for (const number of next) {
      await new Promise<void>(done => {
        connect(`ws://127.0.0.1:${proxy.port}/runCase?case=${number}&agent=own`, {
          compression: { threshold: 0 },
          message: (socket, data) => void socket.send(data),
          close: () => done(),
          error: () => {},
        }).catch(() => done())
      })
    }
  }
  await Promise.all([promise, ...Array.from({ length: 4 }, one)])
  return server.results
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve }
}

function verdicts(results: Results): string[] {
  return results.list().map(({ id, behavior }) => `${id} ${behavior}`)
}

/** The verdicts of cases, as lines: those that are not named are OK. */
function expected(
  tests: 'server' | 'client',
  cases: readonly string[],
  found: Readonly<Record<string, readonly string[]>>
): string[] {
  const named = new Map(
    Object.entries(found).flatMap(([verdict, ids]) => selectCases({ cases: ids }, tests).map(({ id }) => [id, verdict]))
  )
  return selectCases({ cases }, tests).map(one => `${one.id} ${named.get(one.id) ?? best(one.id)}`)
}

/** The best verdict that a case has. */
function best(id: string): string {
  return BEYOND.find(one => one.id === id)?.allowed[0].verdict ?? ''
}

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

t.test('our own server is OK, or INFORMATIONAL where that is the best there is', async t => {
  const results = await runAgainstServer(`ws://127.0.0.1:${await ownServer(t)}/`, { cases: ['beyond'] })
  t.same(verdicts(results), expected('server', ['beyond'], {}))
})

t.test('and so is our own client', async t => {
  t.same(verdicts(await runOwnClient(t, ['beyond'], {})), expected('client', ['beyond'], {}))
})

// Most of their time they wait.
t.jobs = 4
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
