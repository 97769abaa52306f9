/** Whether the load generator catches servers that cheat: `npm test` in bench/. Ends with "N passed, N failed". */
import { fileURLToPath } from 'node:url'
import { killAll } from './run/children.js'
import { ServerProcess } from './run/server-process.js'
import { WorkerProcess } from './run/worker-process.js'

const PROGRAM = fileURLToPath(new URL('./servers/wrong.js', import.meta.url))
const TIMES = { seconds: 0.3, warmUp: 0.1 }
const LONGEST = 30

const ECHO = { kind: 'echo', size: 20, inFlight: 8, connections: 5, binary: false, repliesMasked: false }
const FANOUT = { kind: 'fanout', size: 64, inFlight: 4, receivers: 5 }
const BURST = { kind: 'burst', connections: 2, inFlight: 1, repliesEach: 1000 }

/** Name of the server, job, and what the reason says; undefined where the run is good. */
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
  ['dies', ECHO, /the server ended \(exit code 1\)/],
  ['wrong key', ECHO, /wrong key/],
  ['honest broadcast', FANOUT, undefined],
  ['broadcast to the sender too', FANOUT, /the sender got a message/],
  ['broadcast that skips one', FANOUT, /a message was lost|replies never came|no message came/],
  ['honest burst', BURST, undefined],
  ['burst of one too few', BURST, /replies never came|a message was lost|no message came/],
  ['burst of one too many', BURST, /a message was lost|more replies/],
]

async function reasonOf(name, job) {
  const server = { name, start: () => ({ program: process.execPath, parameters: [PROGRAM, name] }) }
  const load = new WorkerProcess('load/main.js', { node: process.execPath, cpu: undefined })
  const running = await ServerProcess.start(/** @type {any} */ (server), 'echo', { node: process.execPath, cpu: undefined })
  try {
    await load.perform({ ...job, ...TIMES, address: running.address, pids: running.pids }, LONGEST)
    return undefined
  } catch (error) {
    return await running.reason(error)
  } finally {
    load.stop()
    running.stop()
  }
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
