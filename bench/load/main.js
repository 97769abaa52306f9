/** The load generator's process: takes jobs, one at a time, and answers each with figures or with what went wrong. */
import { cpuSeconds } from '../run/usage.js'
import { ClientDoor } from './client-door.js'
import { runDeflate } from './deflate.js'
import { burstRings, echoRings, runEcho } from './echo.js'
import { runFanout } from './fanout.js'
import { runHandshakes } from './handshakes.js'
import { runIdle } from './idle.js'
import { clientEchoRings, receiveRings, runClient } from './measured-client.js'
import { Run } from './run.js'

/** For the workloads whose clients are measured. */
const door = new ClientDoor()

const KINDS = {
  echo: (run, job, readCpu) => runEcho(run, job, echoRings(job), readCpu),
  burst: (run, job, readCpu) => runEcho(run, job, burstRings(job), readCpu),
  deflate: runDeflate,
  fanout: runFanout,
  handshakes: runHandshakes,
  idle: (run, job) => runIdle(run, job, () => ask('memory')),
  listen: async () => ({ url: await door.listen() }),
  'client-receive': (run, job, readCpu) => runClient(run, job, receiveRings(job), door, readCpu),
  'client-echo': (run, job, readCpu) => runClient(run, job, clientEchoRings(job), door, readCpu),
}

/** @type {((value: number) => void) | undefined} */
let onAnswer

/** Asks the process that started this one. */
function ask(question) {
  return new Promise(resolve => {
    onAnswer = resolve
    process.send({ question })
  })
}

async function perform(job) {
  const run = new Run()
  // Read here where possible: a message to another process would come too late on a busy machine.
  const readCpu = async () => (process.platform === 'linux' ? cpuSeconds(job.pids) : ask('cpu'))
  try {
    return { result: await run.until(KINDS[job.kind](run, job, readCpu)) }
  } catch (error) {
    return { error: error.message }
  } finally {
    run.end()
  }
}

process.on('message', async message => {
  if ('answer' in message) onAnswer?.(message.answer)
  else process.send(await perform(message))
})
process.on('disconnect', () => process.exit())
