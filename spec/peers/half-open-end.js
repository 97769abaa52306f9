// @ts-check
/** One end of half-open.js: ROLE ADDRESS PORT INTERVAL TIMEOUT. It tells how it goes as lines of JSON. */
import { once } from 'node:events'
import { connect, WebSocketServer } from '../../dist/index.js'

const [, , role, address, port, interval, timeout] = process.argv

const options = {
  heartbeat: { interval: Number(interval), timeout: Number(timeout) },
  /** @type {(socket: unknown, code: number, reason: string) => void} */
  close: (_, code, reason) => tell({ code, reason, at: Date.now() }),
}

if (role === 'server') {
  const server = new WebSocketServer({ ...options, open: watch })
  const listening = await server.listen({ port: 0, host: address })
  tell({ port: /** @type {import('node:net').AddressInfo} */ (listening).port })
  await once(process, 'SIGTERM')
} else {
  watch(await connect(`ws://${address}:${port}`, options))
}

/**
 * Tells when three pings have been answered: a peer that is there stays. The fourth is far: a ping that is under way when
 * the cable is pulled would have its time before that.
 *
 * @param {import('../../dist/index.js').Connection<unknown>} socket
 */
function watch(socket) {
  setTimeout(() => tell({ state: socket.readyState, answered: socket.roundTripTime !== undefined }), 3.5 * Number(interval))
}

/** @param {object} what */
function tell(what) {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}
