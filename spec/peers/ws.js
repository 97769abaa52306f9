// @ts-check
/** The `ws` package: everything that a client can do, and the chat over two workers. */
import assert from 'node:assert/strict'
import { checkChat } from './chat.js'
import { checkClient, Refused, withClients } from './client-checks.js'
import { bytesOf, expectSame, HOW_TO_INSTALL, Inbox, load, NON_ASCII, within } from './helpers.js'
import { withServers } from './server.js'

/** @param {import('./report.js').Report} report */
export async function run(report) {
  const found = await load('ws')
  if (!found) return report.skip('ws', HOW_TO_INSTALL)
  const { title } = found
  const open = opener(found.module.WebSocket)

  await withServers(report, title, async (serve, echo, title) => {
    for (const [where, url] of [['serve /echo', serve.ws('/echo')], ['echo', echo.ws('/')]]) {
      await report.check(`${title}, ${where}: fragments come back as one message, pings between them included`, () =>
        withClients(open, connect => checkFragments(connect, url))
      )
      await report.check(`${title}, ${where}: text that is no UTF-8 is refused (1007)`, () =>
        withClients(open, connect => checkBadText(connect, url))
      )
    }
    await checkChat(report, title, open, serve)
    await checkClient(report, title, open, serve, echo)
  })
}

/**
 * @param {import('./client-checks.js').Open} open
 * @param {string} url
 */
async function checkFragments(open, url) {
  const client = await open(url)
  client.sendFragments?.(['Hel', '', 'lo', '!'], 'text')
  expectSame(await client.next(), 'Hello!')
  const bytes = bytesOf(70_000)
  client.sendFragments?.([bytes.subarray(0, 1), bytes.subarray(1, 126), bytes.subarray(126, 66_000), bytes.subarray(66_000)], 'binary')
  expectSame(await client.next(), bytes)
  const characters = Buffer.from(NON_ASCII)
  client.sendFragments?.(Array.from(characters, (_, i) => characters.subarray(i, i + 1)), 'text')
  expectSame(await client.next(), NON_ASCII)
}

/**
 * @param {import('./client-checks.js').Open} open
 * @param {string} url
 */
async function checkBadText(open, url) {
  const surrogate = Buffer.from([0xed, 0xa0, 0x80])
  for (const parts of [[surrogate], [Buffer.from([0xc3])], [Buffer.from('fine'), surrogate]]) {
    const client = await open(url)
    client.sendFragments?.(parts, 'text')
    assert.equal((await within(client.closed, 'the close')).code, 1007)
  }
}

/**
 * @param {any} WebSocket
 * @returns {import('./client-checks.js').Open}
 */
function opener(WebSocket) {
  return (url, { origin } = {}) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url, { origin })
      const inbox = new Inbox()
      const client = wrap(socket, inbox)
      let port = 0
      socket.on('upgrade', (/** @type {import('node:http').IncomingMessage} */ response) => (port = response.socket.localPort ?? 0))
      socket.on('message', (/** @type {Buffer} */ data, /** @type {boolean} */ isBinary) => inbox.put(isBinary ? data : data.toString()))
      socket.on('unexpected-response', (/** @type {any} */ request, /** @type {any} */ response) => {
        request.destroy()
        reject(new Refused(response.statusCode))
      })
      socket.on('error', reject)
      socket.on('open', () => resolve(Object.assign(client, { protocol: socket.protocol, extensions: socket.extensions, port })))
    })
}

/**
 * @param {any} socket
 * @param {Inbox<string | Buffer>} inbox
 */
function wrap(socket, inbox) {
  return {
    /** @param {string | Buffer} data */
    send: data => socket.send(data),
    /** @type {(parts: (string | Buffer)[], kind: 'text' | 'binary') => void} */
    sendFragments(parts, kind) {
      parts.forEach((part, i) => {
        socket.send(part, { binary: kind === 'binary', fin: i === parts.length - 1 })
        if (i < parts.length - 1) socket.ping(String(i))
      })
    },
    next: () => inbox.next('a message'),
    /** @type {(payload: Buffer) => Promise<Buffer>} */
    ping: payload =>
      new Promise(resolve => {
        socket.once('pong', resolve)
        socket.ping(payload)
      }),
    /** @type {(code?: number, reason?: string) => void} */
    close: (code, reason) => socket.close(code, reason),
    /** @type {Promise<{ code: number, reason: string }>} */
    closed: new Promise(resolve => {
      socket.on('close', (/** @type {number} */ code, /** @type {Buffer} */ reason) => resolve({ code, reason: reason.toString() }))
    }),
    drop: () => socket.terminate(),
  }
}
