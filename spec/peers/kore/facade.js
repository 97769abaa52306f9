// @ts-check
/**
 * Our side of the conversations, on `kore-ws/kore`: does what the request's query and messages ask for, and writes a
 * line for each callback, `@PID NAME WHAT`. module.c does the same in real Kore.
 *
 * `/talk?name=NAME&request=STEPS&connect=STEPS&disconnect=STEPS` says what to do when; a message `!STEPS` what to do at
 * once. Any other message is sent back. STEPS are divided by commas, what belongs to one by dots, payloads are in hex.
 */
import { createServer } from 'node:http'
import { writeSync } from 'node:fs'
import * as kore from '../../../dist/kore.js'

const STDOUT = 1
const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM'])

/** @typedef {import('../../../dist/kore.js').KoreConnection} KoreConnection */
/** @typedef {{ name: string, connect: string, disconnect: string }} Talk what hdlr_extra is */

/** The steps of callbacks. @type {Record<string, (c: KoreConnection, ...fields: string[]) => void>} */
const STEPS = {
  send: (c, op, hex = '') => void kore.kore_websocket_send(c, parseInt(op, 16), Buffer.from(hex, 'hex')),
  fill: (c, op, size) => void kore.kore_websocket_send(c, parseInt(op, 16), Buffer.alloc(Number(size), 'x')),
  cast: (c, self, op, scope, hex) => broadcast(c, self, op, scope, Buffer.from(hex, 'hex')),
  flood: (c, self, op, scope, size) => broadcast(c, self, op, scope, Buffer.alloc(Number(size), 'x')),
  end: c => kore.kore_connection_disconnect(c),
  flag: c => void (c.flags |= kore.CONN_WS_CLOSE_SENT),
  idle: (c, milliseconds) => void (c.idle_timer.length = Number(milliseconds)),
  deaf: c => void (c.ws_message = null),
  fault() {
    throw new Error('a fault')
  },
  exit: () => process.exit(1),
  state(c) {
    const closeSent = c.flags & kore.CONN_WS_CLOSE_SENT ? 'close sent' : 'close not sent'
    say(c, `state ${c.state}, proto ${c.proto}, ${closeSent}, ${kore.connections.has(c) ? 'listed' : 'not listed'}`)
  },
  flags: c => say(c, `flags ${c.flags}`),
  constants: c => say(c, `constants ${CONSTANTS}`),
}

const CONSTANTS = [
  [
    [kore.WEBSOCKET_OP_CONT, kore.WEBSOCKET_OP_TEXT, kore.WEBSOCKET_OP_BINARY],
    [kore.WEBSOCKET_OP_CLOSE, kore.WEBSOCKET_OP_PING, kore.WEBSOCKET_OP_PONG],
  ].flat(),
  [kore.WEBSOCKET_BROADCAST_LOCAL, kore.WEBSOCKET_BROADCAST_GLOBAL],
  [kore.CONN_STATE_UNKNOWN, kore.CONN_STATE_TLS_SHAKE, kore.CONN_STATE_ESTABLISHED, kore.CONN_STATE_DISCONNECTING],
  [kore.CONN_PROTO_UNKNOWN, kore.CONN_PROTO_HTTP, kore.CONN_PROTO_WEBSOCKET, kore.CONN_PROTO_MSG],
  [kore.CONN_IDLE_TIMER_ACT, kore.CONN_CLOSE_EMPTY, kore.CONN_WS_CLOSE_SENT, kore.CONN_IS_BUSY],
  [kore.KORE_RESULT_ERROR, kore.KORE_RESULT_OK, kore.KORE_RESULT_RETRY],
]
  .map(values => values.join(' '))
  .join(', ')

const { port, workers, maxframe, timeout } = JSON.parse(process.argv[2])
if (maxframe !== undefined) kore.config.websocket_maxframe = maxframe
if (timeout !== undefined) kore.config.websocket_timeout = timeout
const pool = kore.startWorkers(workers, main)
if (pool) for (const signal of SIGNALS) process.once(signal, () => pool.close())

function main() {
  const server = createServer((_, response) => response.end('a page\n'))
  kore.kore_attach(server, { '/talk': talk, '/other': talk })
  // Faults are asked for, and Violations are seen on the wire.
  kore.kore_onerror(() => {})
  // Not port 0: a worker that replaces the only one would get another.
  server.listen(port, '127.0.0.1', () => writeSync(STDOUT, `@${process.pid} - listens\n`))
  const leave = () => void kore.kore_shutdown().then(() => process.exit())
  for (const signal of SIGNALS) process.once(signal, leave)
}

/** @type {import('../../../dist/kore.js').KoreHandler} */
function talk(request) {
  const query = new URL(request.url ?? '/', 'http://kore').searchParams
  const of = (/** @type {string} */ key) => query.get(key) ?? ''
  /** @type {Talk} */
  const about = { name: of('name'), connect: of('connect'), disconnect: of('disconnect') }
  request.owner.hdlr_extra = about
  const steps = of('request').split(',')
  for (const step of steps) {
    const [word, name, value] = step.split('.')
    if (word === 'header') kore.http_response_header(request, name, Buffer.from(value, 'hex').toString())
  }
  const got = steps.includes('unknown') ? 'nobody_has_this' : onmessage
  if (steps.includes('none')) kore.kore_websocket_handshake(request, null, null, null)
  else kore.kore_websocket_handshake(request, onconnect, got, ondisconnect)
  if (steps.includes('status')) say(request.owner, `status ${request.status}`)
  return steps.includes('error') ? kore.KORE_RESULT_ERROR : kore.KORE_RESULT_OK
}

/** @param {KoreConnection} c */
function onconnect(c) {
  say(c, 'connect')
  runSteps(c, talkOf(c).connect)
}

/**
 * @param {KoreConnection} c
 * @param {number} op
 * @param {Buffer} data
 * @param {number} length
 */
function onmessage(c, op, data, length) {
  if (length > 0 && data[0] === 0x21) {
    runSteps(c, data.toString('latin1', 1))
    return
  }
  say(c, `message, op ${op}, ${length} bytes`)
  kore.kore_websocket_send(c, op, data, length)
}

/** @param {KoreConnection} c */
function ondisconnect(c) {
  // The word that the other side waits for comes last.
  runSteps(c, talkOf(c).disconnect)
  say(c, 'disconnect')
}

/**
 * @param {KoreConnection} c
 * @param {string} steps
 */
function runSteps(c, steps) {
  for (const step of steps.split(',').filter(Boolean)) {
    const [word, ...fields] = step.split('.')
    try {
      STEPS[word](c, ...fields)
    } catch (error) {
      const { name, code } = /** @type {Error & { code?: string }} */ (error)
      if (name !== 'MisuseError') throw error
      say(c, `${word} threw ${code}`)
    }
  }
}

/**
 * @param {KoreConnection} c
 * @param {string} self 1 where the connection itself is the source, else 0
 * @param {string} op
 * @param {string} scope
 * @param {Buffer} data
 */
function broadcast(c, self, op, scope, data) {
  kore.kore_websocket_broadcast(self === '1' ? c : null, parseInt(op, 16), data, null, Number(scope))
}

/** @param {KoreConnection} c */
function talkOf(c) {
  return /** @type {Talk} */ (c.hdlr_extra)
}

/**
 * @param {KoreConnection} c
 * @param {string} text
 */
function say(c, text) {
  writeSync(STDOUT, `@${process.pid} ${talkOf(c).name} ${text}\n`)
}
