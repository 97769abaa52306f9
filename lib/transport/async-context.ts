/** Which async context (`AsyncLocalStorage`, async_hooks) code runs in that several connections share. */
import { AsyncResource } from 'node:async_hooks'

/** Of the module itself: what lives longer than the one who happens to need it first does not keep his context. */
const shared = new AsyncResource('kore-ws', { requireManualDestroy: true })

/** Makes a timer, a listener or a stream for all connections: its callbacks run in nobody's context. */
export function makeShared<Result>(make: () => Result): Result {
  return shared.runInAsyncScope(make)
}

/** The context in which it is made: callbacks of a connection run in it, whoever causes them. */
export function captureContext(): AsyncResource {
  return new AsyncResource('kore-ws connection', { requireManualDestroy: true })
}
