// @ts-check
/** The checks that every client library for Node.js goes through. */
import assert from 'node:assert/strict'
import { bytesOf, CHAT_LIMIT, expectSame, MIB, NON_ASCII, SIZES, textOf, within } from './helpers.js'

/**
 * One connection of some library, in the shape that the checks use.
 *
 * @typedef {object} Client
 * @property {string} protocol
 * @property {string} extensions as the handshake agreed on them
 * @property {(data: string | Buffer) => void} send
 * @property {((parts: (string | Buffer)[], kind: 'text' | 'binary') => void) | undefined} [sendFragments] where the library can
 * @property {() => Promise<string | Buffer>} next the next message
 * @property {(payload: Buffer) => Promise<Buffer>} ping resolves with the payload of the pong
 * @property {(code?: number, reason?: string) => void} close
 * @property {Promise<{ code: number, reason: string }>} closed
 * @property {() => void} drop
 */

/** @typedef {(url: string, options?: { origin?: string }) => Promise<Client>} Open rejects with a Refused */

/** The server answered the handshake with something else than 101. */
export class Refused extends Error {
  /** @param {number | undefined} status */
  constructor(status) {
    super(`refused with ${status}`)
    this.status = status
  }
}

/**
 * Gives a check a way to open connections, and drops them when it is over.
 *
 * @param {Open} open
 * @param {(open: Open) => Promise<void>} body
 */
export async function withClients(open, body) {
  /** @type {Client[]} */
  const clients = []
  try {
    await body(async (url, options) => {
      const client = await within(open(url, options), `the handshake with ${url}`)
      clients.push(client)
      return client
    })
  } finally {
    for (const client of clients) client.drop()
  }
}

/**
 * @param {import('./report.js').Report} report
 * @param {string} title
 * @param {Open} open
 * @param {import('./server.js').Server} serve
 * @param {import('./server.js').Server} echo
 */
export async function checkClient(report, title, open, serve, echo) {
  /** @type {(name: string, body: (open: Open) => Promise<void>) => Promise<void>} */
  const check = (name, body) => report.check(`${title}, ${name}`, () => withClients(open, body))

  await check(serve.compresses ? 'both servers and the client agree to compress' : 'nothing is compressed', async open => {
    for (const url of [serve.ws('/echo'), echo.ws('/')]) {
      assert.match((await open(url)).extensions, serve.compresses ? /^permessage-deflate/ : /^$/)
    }
  })
  await checkEcho(check, 'serve /echo', serve.ws('/echo'))
  await checkEcho(check, 'echo', echo.ws('/any/path?and=query'))
  await check('echo: 16 MiB less 16 bytes come back', async open => {
    const client = await open(echo.ws('/'))
    await roundTrip(client, bytesOf(16 * MIB - 16))
  })
  await checkChatLimit(check, serve.ws('/chat'))
  await checkRefusals(check, serve)
  await check('SIGTERM closes with 1001, on both servers', async open => {
    const clients = await Promise.all([serve.ws('/echo'), serve.ws('/chat'), echo.ws('/')].map(url => open(url)))
    for (const server of [serve, echo]) server.terminate()
    for (const client of clients) assert.equal((await within(client.closed, 'the close after SIGTERM')).code, 1001)
  })
}

/**
 * @param {(name: string, body: (open: Open) => Promise<void>) => Promise<void>} check
 * @param {string} where
 * @param {string} url
 */
export async function checkEcho(check, where, url) {
  await check(`${where}: text of 0 bytes to 1 MiB comes back`, async open => {
    const client = await open(url)
    for (const size of SIZES) await roundTrip(client, textOf(size))
  })
  await check(`${where}: binary of 0 bytes to 1 MiB comes back`, async open => {
    const client = await open(url)
    for (const size of SIZES) await roundTrip(client, bytesOf(size))
  })
  await check(`${where}: text with characters of 1 to 4 bytes comes back`, async open => {
    const client = await open(url)
    await roundTrip(client, NON_ASCII)
    await roundTrip(client, NON_ASCII.repeat(10_000))
  })
  await check(`${where}: 1,000 messages sent at once come back in order`, async open => {
    const client = await open(url)
    const texts = Array.from({ length: 1000 }, (_, i) => `message ${i}`)
    for (const text of texts) client.send(text)
    for (const text of texts) expectSame(await client.next(), text)
  })
  await check(`${where}: a ping is answered with its payload`, async open => {
    const client = await open(url)
    for (const size of [0, 5, 125]) expectSame(await within(client.ping(bytesOf(size)), 'the pong'), bytesOf(size))
  })
  await check(`${where}: no subprotocol without an offer`, async open => assert.equal((await open(url)).protocol, ''))
  await check(`${where}: the code of a close comes back`, async open => {
    const client = await open(url)
    client.close(3000)
    assert.deepEqual(await within(client.closed, 'the close'), { code: 3000, reason: '' })
  })
  await check(`${where}: the reason of a close comes back with its code`, async open => {
    const client = await open(url)
    client.close(3000, 'bye')
    assert.deepEqual(await within(client.closed, 'the close'), { code: 3000, reason: 'bye' })
  })
  await check(`${where}: a close without a code stays without (1005)`, async open => {
    const client = await open(url)
    client.close()
    assert.deepEqual(await within(client.closed, 'the close'), { code: 1005, reason: '' })
  })
}

/**
 * @param {(name: string, body: (open: Open) => Promise<void>) => Promise<void>} check
 * @param {string} url
 */
async function checkChatLimit(check, url) {
  await check('serve /chat: 16,384 bytes reach the others', async open => {
    const [sender, text, binary] = [await open(url), textOf(CHAT_LIMIT), bytesOf(CHAT_LIMIT)]
    const receivers = [await open(url), await open(url), await open(url)]
    sender.send(text)
    sender.send(binary)
    for (const receiver of receivers) {
      expectSame(await receiver.next(), text)
      expectSame(await receiver.next(), binary)
    }
  })
  await check('serve /chat: 16,385 bytes are too many (1009)', async open => {
    for (const data of [textOf(CHAT_LIMIT + 1), bytesOf(CHAT_LIMIT + 1)]) {
      const client = await open(url)
      client.send(data)
      assert.equal((await within(client.closed, 'the close')).code, 1009)
    }
  })
}

/**
 * @param {(name: string, body: (open: Open) => Promise<void>) => Promise<void>} check
 * @param {import('./server.js').Server} serve
 */
async function checkRefusals(check, serve) {
  await check('serve: a page of the same host may connect', async open => {
    for (const path of ['/echo', '/chat']) await open(serve.ws(path), { origin: serve.http('') })
  })
  await check('serve: a page of another host gets 403', async open => {
    const others = ['http://example.org', serve.http('').replace(/\d+$/, '1'), 'null']
    for (const path of ['/echo', '/chat', '/people']) {
      for (const origin of others) await expectRefusal(open(serve.ws(path), { origin }), 403)
    }
  })
  await check('serve: a path that nobody serves gets 404', async open => {
    for (const path of ['/', '/nowhere', '/echo/', '/Echo']) await expectRefusal(open(serve.ws(path)), 404)
  })
}

/**
 * @param {Client} client
 * @param {string | Buffer} data
 */
async function roundTrip(client, data) {
  client.send(data)
  expectSame(await client.next(), data)
}

/**
 * @param {Promise<Client>} opening
 * @param {number} status
 */
async function expectRefusal(opening, status) {
  await assert.rejects(opening, error => {
    if (!(error instanceof Refused)) throw error
    assert.equal(error.status, status)
    return true
  }, 'the connection was accepted')
}
