// @ts-check
/** The `undici` package: the WebSocket that Node.js has built in, and a plain HTTP request. */
import assert from 'node:assert/strict'
import { subscribe } from 'node:diagnostics_channel'
import { checkClient, Refused } from './client-checks.js'
import { HOW_TO_INSTALL, Inbox, load, within } from './helpers.js'
import { withServers } from './server.js'

/** @param {import('./report.js').Report} report */
export async function run(report) {
  const found = await load('undici')
  if (!found) return report.skip('undici', HOW_TO_INSTALL)
  const { title, module: undici } = found

  await withServers(report, title, async (serve, echo, title) => {
    await report.check(`${title}, echo: a plain GET is told to upgrade (426)`, async () => {
      const { statusCode, headers, body } = await within(undici.request(echo.http('/')), 'the answer')
      await within(body.text(), "the answer's body")
      assert.deepEqual({ statusCode, upgrade: headers.upgrade }, { statusCode: 426, upgrade: 'websocket' })
    })
    await checkClient(report, title, opener(undici), serve, echo)
  })
}

/**
 * @param {any} undici
 * @returns {import('./client-checks.js').Open}
 */
function opener(undici) {
  // As in browsers, the WebSocket itself tells neither the status of a refusal nor pongs.
  /** @type {number | undefined} */
  let status
  subscribe('undici:request:headers', message => (status = /** @type {any} */ (message).response.statusCode))
  /** @type {WeakMap<object, Inbox<Buffer>>} */
  const pongs = new WeakMap()
  subscribe('undici:websocket:pong', message => {
    const { websocket, payload } = /** @type {any} */ (message)
    pongs.get(websocket)?.put(Buffer.from(payload ?? []))
  })

  return async (url, { origin } = {}) => {
    status = undefined
    const socket = new undici.WebSocket(url, { headers: origin === undefined ? {} : { origin } })
    socket.binaryType = 'arraybuffer'
    /** @type {Inbox<string | Buffer>} */
    const inbox = new Inbox()
    socket.addEventListener('message', (/** @type {any} */ { data }) => inbox.put(typeof data === 'string' ? data : Buffer.from(data)))
    pongs.set(socket, new Inbox())
    const closed = new Promise(resolve => {
      socket.addEventListener('close', (/** @type {any} */ { code, reason }) => resolve({ code, reason }))
    })
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve)
      socket.addEventListener('error', (/** @type {any} */ { error }) => reject(status === undefined ? error : new Refused(status)))
    })
    return {
      protocol: socket.protocol,
      extensions: socket.extensions,
      send: data => socket.send(data),
      next: () => inbox.next('a message'),
      ping(payload) {
        undici.ping(socket, payload)
        return /** @type {Inbox<Buffer>} */ (pongs.get(socket)).next('a pong')
      },
      close: (code, reason) => socket.close(code, reason),
      closed,
      drop: () => socket.close(),
    }
  }
}
