// @ts-check
/**
 * The checks of Bun's WebSocket; prints each result as a line of JSON.
 *
 * bun bun-checks.js SERVE_HOST ECHO_HOST compressed|plain, the hosts with their ports.
 */
import assert from 'node:assert/strict'
import { bytesOf, expectSame, Inbox, NON_ASCII, SIZES, textOf, within } from './helpers.js'

const [serve, echo, mode] = process.argv.slice(2)
const PLACES = { 'serve /echo': `ws://${serve}/echo`, echo: `ws://${echo}/` }

/** @param {string} url */
async function open(url) {
  const socket = new WebSocket(url)
  socket.binaryType = 'arraybuffer'
  /** @type {Inbox<string | Buffer>} */
  const inbox = new Inbox()
  socket.addEventListener('message', ({ data }) => inbox.put(typeof data === 'string' ? data : Buffer.from(data)))
  const closed = new Promise(resolve => {
    socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason }))
  })
  await within(
    new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve)
      socket.addEventListener('error', () => reject(new Error('refused')))
    }),
    `the handshake with ${url}`
  )
  return { socket, closed, next: () => inbox.next('a message') }
}

/**
 * @param {string} name
 * @param {() => Promise<void>} body
 */
async function check(name, body) {
  try {
    await body()
    console.log(JSON.stringify({ name, ok: true }))
  } catch (error) {
    console.log(JSON.stringify({ name, ok: false, details: /** @type {Error} */ (error).stack }))
  }
}

for (const [where, url] of Object.entries(PLACES)) {
  await check(`${where}: ${mode === 'compressed' ? 'both agree to compress' : 'nothing is compressed'}`, async () => {
    const { socket } = await open(url)
    assert.equal(/permessage-deflate/.test(socket.extensions), mode === 'compressed')
    socket.close()
  })
  await check(`${where}: text and binary of 0 bytes to 1 MiB come back`, async () => {
    const { socket, next } = await open(url)
    for (const size of SIZES) {
      for (const data of [textOf(size), bytesOf(size)]) {
        socket.send(data)
        expectSame(await next(), data)
      }
    }
    socket.close()
  })
  await check(`${where}: text with characters of 1 to 4 bytes comes back`, async () => {
    const { socket, next } = await open(url)
    for (const text of [NON_ASCII, NON_ASCII.repeat(10_000)]) {
      socket.send(text)
      expectSame(await next(), text)
    }
    socket.close()
  })
  await check(`${where}: 1,000 messages sent at once come back in order`, async () => {
    const { socket, next } = await open(url)
    const texts = Array.from({ length: 1000 }, (_, i) => `message ${i}`)
    for (const text of texts) socket.send(text)
    for (const text of texts) expectSame(await next(), text)
    socket.close()
  })
  await check(`${where}: the code and reason of a close come back`, async () => {
    const { socket, closed } = await open(url)
    socket.close(3000, 'bye')
    assert.deepEqual(await within(closed, 'the close'), { code: 3000, reason: 'bye' })
  })
}
process.exit(0)
