/** Whether the load generator catches servers and clients that cheat: `npm test` in bench/. Ends with "N passed, N failed". */
import { fileURLToPath } from 'node:url'
import { NO_TAKEOVER, TAKEOVER } from './load/extension.js'
import { killAll } from './run/children.js'
import { ServerProcess } from './run/server-process.js'
import { WorkerProcess } from './run/worker-process.js'

const SERVER = fileURLToPath(new URL('./servers/wrong.js', import.meta.url))
const CLIENT = fileURLToPath(new URL('./clients/wrong.js', import.meta.url))
/** Long enough that a machine which stands still for half of it is not taken for a server that does. */
const TIMES = { seconds: 1, warmUp: 0.1 }
const LONGEST = 30

const ECHO = { kind: 'echo', size: 20, inFlight: 8, connections: 5, binary: false, repliesMasked: false }
const FANOUT = { kind: 'fanout', size: 64, inFlight: 4, receivers: 5 }
const BURST = { kind: 'burst', connections: 2, inFlight: 1, repliesEach: 1000 }
const DEFLATE = { kind: 'deflate', size: 64, inFlight: 4, connections: 5, offer: NO_TAKEOVER }
const LARGE_DEFLATE = { ...DEFLATE, size: 16 * 1024 }
const IDLE = { kind: 'idle', connections: 20, offer: NO_TAKEOVER }
const TALKING = { ...IDLE, size: 1024, offer: TAKEOVER }
const RECEIVE = { kind: 'client-receive', size: 20, batch: 100, inFlight: 4 }
const CLIENT_ECHO = { kind: 'client-echo', size: 20, inFlight: 8 }

/** Name of the server or client, job, and what the reason says; undefined where the run is good. */
const CASES = [
  ['honest', ECHO, undefined],
  ['honest', { ...ECHO, size: 1024, binary: true }, undefined],
  ['wrong length', ECHO, /and got text of 19 bytes/],
  ['wrong length', { ...ECHO, size: 1024 }, /and got text of 1023 bytes/],
  ['wrong opcode', ECHO, /expected text of 20 bytes, and got binary of 20 bytes/],
  ['every 1,000th message dropped', ECHO, /a message was lost|replies never came/],
  ['every 1,000th message dropped', { ...ECHO, inFlight: 1 }, /replies never came|no message came/],
  ['a message twice', ECHO, /a message was lost|more replies/],
  ['a message twice', { ...ECHO, inFlight: 1 }, /a message was lost|more replies/],
  ['wrong payload', ECHO, /is wrong/],
  ['fragments', ECHO, /and got a fragment, text/],
  ['a close frame', ECHO, /and got close of 2 bytes, code 1001/],
  ['hangs up', ECHO, /closed the connection|ECONNRESET|EPIPE/],
  ['goes silent', ECHO, /no message came|replies never came/],
  ['dies', ECHO, /the process ended \(exit code 1\)/],
  ['wrong key', ECHO, /wrong key/],
  ['honest broadcast', FANOUT, undefined],
  ['broadcast to the sender too', FANOUT, /the sender got a message/],
  ['broadcast that skips one', FANOUT, /a message was lost|replies never came|no message came/],
  ['honest burst', BURST, undefined],
  ['burst of one too few', BURST, /replies never came|a message was lost|no message came/],
  ['burst of one too many', BURST, /a message was lost|more replies/],
  ['honest compressed', DEFLATE, undefined],
  ['honest compressed', { ...DEFLATE, size: 1024 }, undefined],
  ['honest compressed', LARGE_DEFLATE, undefined],
  ['honest compressed, cut', DEFLATE, undefined],
  ['honest compressed, cut', LARGE_DEFLATE, undefined],
  ['honest compressed, other bytes each time', { ...DEFLATE, size: 1024 }, undefined],
  ['wrong compressed body', DEFLATE, /inflates to something else/],
  ['wrong compressed body', LARGE_DEFLATE, /inflates to something else/],
  ['wrong compressed body always', DEFLATE, /inflates to something else/],
  ['compressed body too long', DEFLATE, /can't be inflated \(ERR_BUFFER_TOO_LARGE\)/],
  ['compressed body too short', DEFLATE, /inflates to something else/],
  ['damaged compressed body', DEFLATE, /can't be inflated|inflates to something else/],
  ['damaged compressed body', LARGE_DEFLATE, /can't be inflated|inflates to something else/],
  ['compressed reply of another message', DEFLATE, /inflates to something else/],
  ['compressed reply dropped', DEFLATE, /inflates to something else|replies never came/],
  ['compressed reply twice', DEFLATE, /inflates to something else|more replies/],
  ['uncompressed reply', DEFLATE, /expected compressed text of 64 bytes, and got text of 64 bytes/],
  ['compressed binary reply', DEFLATE, /and got compressed binary/],
  ['compressed fragments', DEFLATE, /and got a fragment, compressed text/],
  ['context takeover', { ...DEFLATE, size: 1024 }, /can't be inflated/],
  ['declines compression', DEFLATE, /did not agree on permessage-deflate/],
  ['agrees on context takeover', DEFLATE, /agreed on something else/],
  ['agrees on another extension', DEFLATE, /agreed on something else/],
  ['agrees on what was not offered', ECHO, /an extension that was not offered/],
  ['honest compressed', IDLE, undefined],
  ['declines compression', IDLE, /did not agree on permessage-deflate/],
  ['agrees on context takeover', TALKING, undefined],
  ['agrees on context takeover, and says nothing', TALKING, /replies never came/],
  ['agrees on context takeover, wrong body', TALKING, /inflates to something else/],
  ['honest compressed', TALKING, /agreed on something else/],
  ['honest', RECEIVE, undefined],
  ['honest', { ...RECEIVE, size: 1024 }, undefined],
  ['counts wrongly', RECEIVE, /expected text of 29 bytes, and got text of 28 bytes/],
  ['wrong text', RECEIVE, /of a message of the client is wrong/],
  ['wrong text', { ...RECEIVE, size: 1024 }, /of a message of the client is wrong/],
  ['drops', RECEIVE, /of a message of the client is wrong|replies never came/],
  ['goes silent', RECEIVE, /replies never came|no message came/],
  ['twice', RECEIVE, /of a message of the client is wrong|more replies/],
  ['honest', CLIENT_ECHO, undefined],
  ['wrong text', CLIENT_ECHO, /byte 19 of a message of the client is wrong/],
  ['wrong opcode', CLIENT_ECHO, /expected text of 20 bytes, and got binary of 20 bytes/],
  ['unmasked', CLIENT_ECHO, /and got unmasked text of 20 bytes/],
  ['drops', CLIENT_ECHO, /of a message of the client is wrong|replies never came/],
  ['twice', CLIENT_ECHO, /of a message of the client is wrong|more replies/],
  ['hangs up', CLIENT_ECHO, /the client closed the connection|the process ended \(exit code 0\)/],
  ['dies', CLIENT_ECHO, /the process ended \(exit code 1\)/],
]

async function reasonOf(name, job) {
  const load = new WorkerProcess('load/main.js', { node: process.execPath, cpu: undefined })
  let running
  try {
    running = job.kind.startsWith('client-') ? await startClient(name, job, load) : await startWrong(name, [SERVER, name])
    const memory = async () => running.memory()
    await load.perform({ ...job, ...TIMES, client: encodeURIComponent(name), address: running.address, pids: running.pids }, LONGEST, memory)
    return undefined
  } catch (error) {
    return running === undefined ? error.message : await running.reason(error)
  } finally {
    load.stop()
    running?.stop()
  }
}

async function startClient(name, { kind, batch }, load) {
  const { url } = await load.perform({ kind: 'listen' }, LONGEST)
  return startWrong(name, [CLIENT, kind, `${url}${encodeURIComponent(name)}`, String(batch), name])
}

function startWrong(name, parameters) {
  const server = { name, start: () => ({ program: process.execPath, parameters }) }
  return ServerProcess.start(/** @type {any} */ (server), '', { node: process.execPath, cpu: undefined })
}

function isRight(reason, expected) {
  return expected === undefined ? reason === undefined : reason !== undefined && expected.test(reason)
}

process.on('exit', killAll)
let failed = 0
for (const [name, job, expected] of CASES) {
  const reason = await reasonOf(name, job)
  const right = isRight(reason, expected)
  if (!right) failed++
  console.log(`${right ? 'ok' : 'not ok'}: ${job.kind}, ${name}: ${reason ?? 'a good run'}`)
}
console.log(`${CASES.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
