// @ts-check
/** Our client against servers that nobody here wrote: `ws`, and the Python package `websockets`. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { checkEcho, withClients } from './client-checks.js'
import { bytesOf, HOW_TO_INSTALL, Inbox, load, within } from './helpers.js'

const PYTHON = process.env.PYTHON || '/usr/bin/python3'
const PYTHON_SERVER = fileURLToPath(new URL('echo.py', import.meta.url))

/** What the client offers, and what is to come of it with a server that takes any offer. */
const MODES = /** @type {const} */ ([
  ['plain', false, /^$/],
  ['without context takeover', { mode: 'shared', threshold: 0 }, /server_no_context_takeover/],
  ['with context takeover', { mode: 'dedicated', threshold: 0 }, /^permessage-deflate(?!.*no_context)/],
])

/** @typedef {{ url: string, stop(): Promise<unknown> }} Echo */

/** @param {import('./report.js').Report} report */
export async function run(report) {
  const { connect } = await import('../../dist/index.js')
  const found = await load('ws')
  if (found) await checkAgainst(report, `our client, ${found.title}`, () => startWs(found.module), connect)
  else report.skip('our client, ws', HOW_TO_INSTALL)
  const version = await pythonVersion()
  if (version) await checkAgainst(report, `our client, python websockets ${version}`, startPython, connect)
  else report.skip('our client, python websockets', `${PYTHON} has no package websockets; apt-get install python3-websockets`)
}

/**
 * @param {import('./report.js').Report} report
 * @param {string} title
 * @param {() => Promise<Echo>} start
 * @param {any} connect
 */
async function checkAgainst(report, title, start, connect) {
  const server = await start()
  try {
    for (const [mode, compression, agreed] of MODES) {
      const open = opener(connect, compression)
      /** @type {(name: string, body: (open: import('./client-checks.js').Open) => Promise<void>) => Promise<void>} */
      const check = (name, body) => report.check(`${title}, ${name}`, () => withClients(open, body))
      await check(`${mode}: the extension is agreed on`, async open => assert.match((await open(server.url)).extensions, agreed))
      await checkEcho(check, mode, server.url)
      await check(`${mode}: a message sent in pieces comes back whole`, async open => {
        const client = await open(server.url)
        const bytes = bytesOf(300_000)
        client.sendFragments?.([bytes.subarray(0, 1), bytes.subarray(1, 70_000), bytes.subarray(70_000)], 'binary')
        assert.ok(bytes.equals(Buffer.from(await client.next())))
      })
    }
  } finally {
    await server.stop()
  }
}

/**
 * @param {any} connect
 * @param {unknown} compression
 * @returns {import('./client-checks.js').Open}
 */
function opener(connect, compression) {
  return async url => {
    /** @type {Inbox<string | Buffer>} */
    const inbox = new Inbox()
    /** @type {(end: { code: number, reason: string }) => void} */
    let end = () => {}
    const closed = new Promise(resolve => (end = resolve))
    const socket = await connect(url, {
      compression,
      heartbeat: { interval: 20, timeout: 5000 },
      limits: { messageBytes: Infinity },
      message: (/** @type {unknown} */ _, /** @type {string | Buffer} */ data) => inbox.put(data),
      close: (/** @type {unknown} */ _, /** @type {number} */ code, /** @type {string} */ reason) => end({ code, reason }),
    })
    return {
      protocol: socket.protocol,
      extensions: socket.extensions,
      send: data => void socket.send(data),
      sendFragments: parts => void socket.sendStream(parts),
      next: () => inbox.next('a message'),
      // The answers are for the heartbeat, which tells the time that a ping of its own took.
      async ping(payload) {
        socket.ping(payload)
        const answered = async () => {
          while (socket.roundTripTime === undefined) await delay(10)
        }
        await within(answered(), "the answer to the heartbeat's ping")
        return payload
      },
      close: (code, reason) => socket.close(code, reason),
      closed: /** @type {Promise<{ code: number, reason: string }>} */ (closed),
      drop: () => socket.terminate(),
    }
  }
}

/**
 * @param {any} ws
 * @returns {Promise<Echo>}
 */
async function startWs(ws) {
  const server = new ws.WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 0 }, maxPayload: 0 })
  server.on('connection', (/** @type {any} */ socket) => {
    socket.on('message', (/** @type {Buffer} */ data, /** @type {boolean} */ binary) => socket.send(data, { binary }))
  })
  await once(server, 'listening')
  return { url: `ws://127.0.0.1:${server.address().port}/`, stop: promisify(server.close.bind(server)) }
}

/** @returns {Promise<Echo>} */
async function startPython() {
  const child = spawn(PYTHON, [PYTHON_SERVER], { stdio: ['ignore', 'pipe', 'inherit'] })
  process.once('exit', () => child.kill('SIGKILL'))
  const [port] = await within(once(createInterface(child.stdout), 'line'), "the Python server's port")
  return {
    url: `ws://127.0.0.1:${port}/`,
    async stop() {
      child.kill('SIGKILL')
      await once(child, 'close')
    },
  }
}

async function pythonVersion() {
  try {
    return (await promisify(execFile)(PYTHON, ['-c', 'import websockets.version as v; print(v.version)'])).stdout.trim()
  } catch {
    return undefined
  }
}
