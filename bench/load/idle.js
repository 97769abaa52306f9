/**
 * Connections that do nothing, or nothing more after one message: some come and go first, so that what the server needs
 * once is not counted.
 */
import { CompressedReplies } from './compressed-replies.js'
import { compressedFrame } from './deflate.js'
import { FrameReader } from './frame-reader.js'
import { jsonTexts } from './json-text.js'

const WARM_UP = 500
/** Memory that messages took and gave back serves the next ones: few may come before those that are counted. */
const TALKING_WARM_UP = 5
const SETTLE = 500

/**
 * @param {import('./run.js').Run} run
 * @param {() => Promise<number>} readMemory resident bytes of the server, after a collection where there is one
 */
export async function runIdle(run, job, readMemory) {
  const { connections, size } = job
  const address = { ...job.address, offer: job.offer }
  const open = count =>
    size === undefined ? run.open(address, count, client => keepQuiet(run, client)) : openTalking(run, address, count, size)
  await open(Math.min(size === undefined ? WARM_UP : TALKING_WARM_UP, connections))
  for (const client of run.clients.splice(0)) client.end()
  await run.pause(SETTLE)
  const before = await run.until(readMemory())
  await open(connections)
  await run.pause(SETTLE)
  const after = await run.until(readMemory())
  return { bytes: (after - before) / connections }
}

function keepQuiet(run, client) {
  run.listen(client, () => {
    throw new Error('an idle connection got a message')
  })
}

/** Each connection sends one compressed message of `size` bytes, and gets it back. */
async function openTalking(run, address, count, size) {
  const messages = jsonTexts(1, size).map(text => Buffer.from(text))
  const request = compressedFrame(messages[0])
  const replies = new CompressedReplies(messages)
  let missing = count
  await run.open(address, count, client => {
    const reader = new FrameReader(replies)
    run.listen(client, (bytes, end) => (missing -= reader.read(bytes, end)))
    client.write(request)
  })
  await run.drain(() => missing)
}
