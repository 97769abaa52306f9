/** Our own server and client in front of the tester, perhaps with a fault put on them, and the verdicts to expect. */
import type { Test } from 'tap'
import type { AddressInfo } from 'node:net'
import { connect } from '../../lib/client.ts'
import { BEYOND } from '../../lib/conformance/beyond/index.ts'
import type { Results } from '../../lib/conformance/results.ts'
import { selectCases } from '../../lib/conformance/select.ts'
import { serveCases } from '../../lib/conformance/serve-cases.ts'
import { WebSocketServer } from '../../lib/server.ts'
import { faultProxy, type Fault } from './fault-proxy.ts'

/** By default we close on floods of pings, which is as good; here it is to be seen that each can be answered. */
const LIMITS = { controlFrames: Infinity }

export async function ownServer(t: Test): Promise<number> {
  const server = new WebSocketServer({
    origins: 'any',
    compression: { threshold: 0 },
    limits: LIMITS,
    message: (socket, data) => void socket.send(data),
  })
  t.teardown(() => server.close({ timeout: 0 }))
  return ((await server.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo).port
}

/** Our own client through cases, four at a time; behind a proxy that makes it faulty, or without one. */
export async function runOwnClient(t: Test, cases: readonly string[], fault: Fault): Promise<Results> {
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
          limits: LIMITS,
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

export function verdicts(results: Results): string[] {
  return results.list().map(({ id, behavior }) => `${id} ${behavior}`)
}

/** The verdicts of cases, as lines: those that are not named are OK. */
export function expected(
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
