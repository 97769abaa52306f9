/** One AbortSignal for many clients: Node warns of more than ten listeners on a target, so ours share one. */
import { setMaxListeners } from 'node:events'
import t, { type Test } from 'tap'
import { connect } from '../lib/client.ts'
import { reconnecting } from '../lib/reconnecting.ts'
import { failureOf } from './helpers/client.ts'
import { eventually, turn, within } from './helpers/journal.ts'
import { accepting, answering, RawServer } from './helpers/raw-server.ts'
import { listenersOf } from './helpers/signals.ts'

const CLIENTS = 12

/** A signal that Node warns of as it does of other targets; later releases do not for signals. */
function signalThatWarns(): { controller: AbortController; signal: AbortSignal } {
  const controller = new AbortController()
  setMaxListeners(10, controller.signal)
  return { controller, signal: controller.signal }
}

/** The warnings of the process from here on. */
function warnings(t: Test): string[] {
  const heard: string[] = []
  const listen = ({ name, message }: Error): void => void heard.push(`${name}: ${message}`)
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  return heard
}

const twelve = <Value>(make: () => Value): Value[] => Array.from({ length: CLIENTS }, make)

t.test('twelve attempts that are under way, and end with its reason', async t => {
  const heard = warnings(t)
  const { controller, signal } = signalThatWarns()
  const raw = await RawServer.open(t, () => {})
  const attempts = twelve(() => failureOf(connect(raw.url, { signal })))
  await eventually('the requests', () => raw.heads.length === CLIENTS)
  t.equal(listenersOf(signal), 1)
  const reason = new Error('enough')
  controller.abort(reason)
  for (const attempt of attempts) t.equal(await attempt, reason)
  t.equal(listenersOf(signal), 0)
  await raw.left(CLIENTS)
  t.strictSame(heard, [])
})

t.test('twelve loops, at once: connected, pausing, and waiting for an answer', async t => {
  const heard = warnings(t)
  const { controller, signal } = signalThatWarns()
  const open = await RawServer.open(t, accepting)
  const silent = await RawServer.open(t, () => {})
  const refusing = await RawServer.open(t, () => answering(503, { 'retry-after': '3600' }))
  let failures = 0
  const loopsOf = (raw: RawServer): AsyncIterator<unknown>[] =>
    twelve(() => reconnecting(raw.url, { signal, error: () => void failures++ }))
  const connected = loopsOf(open)
  await within(Promise.all(connected.map(loop => loop.next())), 'the connections')
  const waiting = [...connected, ...loopsOf(silent), ...loopsOf(refusing)].map(loop => loop.next().then(() => 'a connection', (error: unknown) => error))
  await eventually('the requests', () => silent.heads.length === CLIENTS && failures === CLIENTS)
  await turn()
  t.equal(listenersOf(signal), 1)
  const reason = new Error('enough')
  controller.abort(reason)
  for (const outcome of waiting) t.equal(await within(outcome, 'the end of a loop'), reason)
  t.equal(listenersOf(signal), 0)
  t.strictSame(heard, [])
})

t.test('attempts, connections and loops of one signal in turn: those that are over are not told, and leave it to the others', async t => {
  const heard = warnings(t)
  const { controller, signal } = signalThatWarns()
  const raw = await RawServer.open(t, accepting)
  const sockets = await Promise.all(twelve(() => connect(raw.url, { signal })))
  t.equal(listenersOf(signal), 0, 'it has no effect on what is open')
  const loops = twelve(() => reconnecting(raw.url, { signal }))
  await within(Promise.all(loops.map(loop => loop.next())), 'the connections')
  const [first, ...others] = loops
  await first.return?.()
  t.equal(listenersOf(signal), 1)
  for (const loop of others) await loop.return?.()
  t.equal(listenersOf(signal), 0, 'the last takes the listener along')
  controller.abort()
  await turn()
  for (const socket of sockets) {
    t.equal(socket.readyState, 'open')
    socket.terminate()
  }
  t.strictSame(heard, [])
})
