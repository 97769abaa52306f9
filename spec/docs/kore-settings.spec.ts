/** docs/kore.md, row by row: settings and workers, and the idle timeout. */
import cluster from 'node:cluster'
import type { Test } from 'tap'
import { config, kore_shutdown, kore_websocket_send, startWorkers, WEBSOCKET_OP_BINARY, WEBSOCKET_OP_TEXT } from '../../lib/kore.ts'
import { admission } from '../../lib/kore/shared.ts'
import { REFUSALS } from '../../lib/handshake/refusal.ts'
import { resolveLimits } from '../../lib/limits.ts'
import { RESOLUTION } from '../../lib/transport/deadlines.ts'
import { closeFrame, frame, masked } from '../helpers/frames.ts'
import { CLIENT_KEY, type HandshakeParts } from '../helpers/raw-client.ts'
import { Served } from '../kore/served.ts'
import { amountsIn } from './page.ts'
import { codeOf, said, sending, statusOf, triedIn, tryRows } from './kore-rows.ts'

const CLOSE = masked(closeFrame(1000))
const MAXFRAME = 16384

const binary = (size: number): string => masked(frame('82', Buffer.alloc(size)))
/** Whether a message of these frames is delivered, with the settings as they are. */
async function passes(t: Test, ...frames: readonly string[]): Promise<boolean> {
  const { got, events } = await sending(t, ...frames, CLOSE)
  return got === closeFrame(1000) && events.length === 3
}

/** Closed with the code and reason that a silent client gets, after so many milliseconds. */
async function silence(t: Test, seconds: number): Promise<{ readonly got: string; readonly events: readonly string[]; readonly time: number }> {
  const served = await Served.start(t)
  config.websocket_timeout = seconds
  const start = performance.now()
  const client = await served.client()
  const got = await client.rest()
  return { got, events: served.events, time: performance.now() - start }
}

/** A connection that is closed when nothing has happened for 300 ms; what happens four times every 100 ms. */
async function stays(t: Test, happen: (served: Served) => void, prepare: (served: Served) => Promise<unknown>): Promise<boolean> {
  const served = await Served.start(t)
  served.connected = c => void (c.idle_timer.length = 300)
  await prepare(served)
  for (let i = 0; i < 6; i++) {
    happen(served)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  return !served.events.includes('disconnect')
}

tryRows('### Settings and workers', {
  async '`websocket_maxframe` 16384: for one frame received; equal passes, one more does not'(t) {
    t.equal(config.websocket_maxframe, MAXFRAME)
    t.ok(await passes(t, binary(MAXFRAME)))
    t.notOk(await passes(t, binary(MAXFRAME + 1)))
    t.notOk(await passes(t, masked(frame('02', Buffer.alloc(MAXFRAME))), masked(frame('80', 'x'))), 'for a message')
  },
  async '`websocket_maxframe` 0: only empty messages'(t) {
    config.websocket_maxframe = 0
    t.ok(await passes(t, said('')))
    config.websocket_maxframe = 0
    t.notOk(await passes(t, said('x')))
  },
  async 'the limit is for control frames too: a ping that is larger ends the connection'(t) {
    const served = await Served.start(t)
    config.websocket_maxframe = 0
    const client = await served.client()
    client.send(masked(frame('89', 'p')))
    t.equal(await client.readAs(frame('8a', 'p')), frame('8a', 'p'))
  },
  async 'the limit is not for what is sent'(t) {
    const served = await Served.start(t)
    const { client, c } = await served.pair()
    kore_websocket_send(c, WEBSOCKET_OP_BINARY, Buffer.alloc(2 * MAXFRAME))
    t.match(await client.read(2 * MAXFRAME), /^827e8000/)
  },
  async '`websocket_timeout` 120, in seconds'(t) {
    const served = await Served.start(t)
    const { c } = await served.pair()
    t.strictSame([config.websocket_timeout, c.idle_timer.length], [120, 120_000])
  },
  async '`websocket_timeout` 0: closed at the next check'(t, _, ours) {
    t.equal((await silence(t, 0)).got, closeFrame(1001, 'idle'))
    t.equal(ours, `same: within about ${RESOLUTION / 1000} s`)
  },
  '-1 happens to mean never'(t) {
    t.throws(() => void (config.websocket_timeout = -1), { code: 'invalid-option' })
    config.websocket_timeout = Infinity
    t.equal(config.limits.idleTime, Infinity)
    config.websocket_timeout = 120
  },
  async 'settings are global, not per route'(t) {
    const served: Served = await Served.start(t, { '/one': request => served.handshake(request), '/two': request => served.handshake(request) })
    config.websocket_maxframe = 1
    for (const path of ['/one', '/two']) {
      const client = await served.client({ path })
      client.send(said('xx'))
      t.equal(codeOf(await client.rest()), 1009, path)
    }
  },
  '`workers`: as many as CPUs by default'(t) {
    t.throws(() => (startWorkers as () => unknown)(), { code: 'invalid-argument' })
  },
  'a worker that crashes: its clients get a bare FIN, no `ondisconnect`; it is replaced': triedIn(
    'kore/workers.spec.ts',
    'a worker that is killed is replaced, and the others lose nothing'
  ),
  async '`worker_max_connections` 512; who comes later waits unanswered'(t, _, ours) {
    const { connections, connectionsPerAddress, handshakes } = resolveLimits()
    const [all, one, waiting, ...statuses] = amountsIn(ours)
    t.ok(connections <= all && handshakes <= waiting)
    t.equal(one, connectionsPerAddress)
    t.match(ours, 'a quarter of the memory for what all hold')
    t.strictSame(statuses, [REFUSALS.busy.status, REFUSALS.address.status])
    let entered = 0
    while (admission.enter('192.0.2.1') === undefined) entered++
    t.equal(entered, one)
    for (; entered > 0; entered--) admission.leave('192.0.2.1')
  },
  'one worker takes all connections until it is full'(t) {
    t.equal(cluster.schedulingPolicy, process.platform === 'win32' ? cluster.SCHED_NONE : cluster.SCHED_RR)
  },
  async 'the 24th header line and those behind it are ignored'(t, [status], ours) {
    // Four lines besides, and the key behind all.
    const lines = (count: number): HandshakeParts => ({
      headers: { 'sec-websocket-key': null, a: Array.from({ length: count - 5 }, () => '1'), 'Sec-WebSocket-Key': CLIENT_KEY },
    })
    t.equal(await statusOf(t, lines(40)), 101, 'a key behind line 24 counts')
    const [, first = ''] = /from line (\d+) on/.exec(ours) ?? []
    t.equal(await statusOf(t, lines(Number(first) - 1)), 101)
    t.equal(await statusOf(t, lines(Number(first))), status)
    t.equal(amountsIn(ours)[0], config.limits.handshakeBytes)
  },
  'SIGHUP reloads modules in the running workers': triedIn('cli/serve.spec.ts', 'other workers, the same port, 1012 to the clients, and no client refused'),
  async 'SIGTERM: every client gets `88 00`, every `ondisconnect` runs'(t, [code]) {
    const served = await Served.start(t)
    const clients = [await served.client(), await served.client()]
    const over = kore_shutdown()
    for (const client of clients) {
      t.equal(await client.readAs(closeFrame(code)), closeFrame(code))
      client.send(masked(closeFrame(code)))
    }
    t.strictSame(await over, { closed: 2, dropped: 0, refused: 0 })
    t.equal(served.events.filter(event => event === 'disconnect').length, 2)
  },
})

tryRows('### Idle timeout', {
  async 'anything that comes counts as activity: pongs, one byte of a frame'(t) {
    for (const bytes of [masked('8a00'), '00']) {
      let client: Awaited<ReturnType<Served['client']>> | undefined
      const prepare = async (served: Served): Promise<void> => {
        client = await served.client()
        if (bytes === '00') client.send('82fe', '1000', '00000000')
      }
      t.ok(await stays(t, () => client?.send(bytes), prepare), bytes)
    }
  },
  async 'what the server sends does not count; passive clients are dropped though served'(t) {
    let pair: Awaited<ReturnType<Served['pair']>> | undefined
    const prepare = async (served: Served): Promise<void> => void (pair = await served.pair())
    t.ok(await stays(t, () => void (pair && kore_websocket_send(pair.c, WEBSOCKET_OP_TEXT, 'x')), prepare))
  },
  async 'at the end: ondisconnect, `88 00`'(t, [code], ours) {
    const { got, events } = await silence(t, 0)
    const [, reason = ''] = /reason `(\w+)`/.exec(ours) ?? []
    t.equal(got, closeFrame(code, reason))
    t.strictSame(events, ['connect', 'disconnect'])
  },
  async 'checked every 500 ms, and only when the worker wakes: an idle worker may never check'(t, _, ours) {
    const { time } = await silence(t, 1)
    t.ok(time >= 1000, `${time} ms`)
    t.equal(ours, `safer: always, to within about ${RESOLUTION / 1000} s`)
  },
})
