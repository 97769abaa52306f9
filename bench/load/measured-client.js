/** Clients that are measured: flooded with messages that they count, or made to send back what they get. */
import { laneOf, runLanes } from './echo.js'
import { FrameReader } from './frame-reader.js'
import { plainFrame, RequestRing, slotPayload, TEXT } from './frames.js'
import { MaskedReplies } from './masked-replies.js'
import { RunError } from './run.js'

/** The client answers every batch of so many messages with one: how many came, of how many characters, and the last. */
export function receiveRings({ size, batch, inFlight }) {
  const batches = Array.from({ length: inFlight }, (_, i) => messagesOf(i * batch, batch, size))
  const floods = batches.map(messages => Buffer.concat(messages.map(message => plainFrame(TEXT, message))))
  const replies = new MaskedReplies(batches.map(messages => Buffer.from(`${batch} ${batch * size} ${messages[batch - 1]}`)))
  return { requests: new RequestRing(floods, inFlight), createReader: () => new FrameReader(replies), worth: batch }
}

/** The client sends back each message. */
export function clientEchoRings({ size, inFlight }) {
  const messages = messagesOf(0, inFlight, size)
  const replies = new MaskedReplies(messages)
  const requests = new RequestRing(messages.map(message => plainFrame(TEXT, message)), inFlight)
  return { requests, createReader: () => new FrameReader(replies) }
}

/** @param {import('./run.js').Run} run @param {import('./client-door.js').ClientDoor} door */
export async function runClient(run, job, rings, door, readCpu) {
  const peer = door.peer(job.client)
  if (peer === undefined) throw new RunError('the client is not connected')
  peer.onLost = why => run.fail(why)
  return runLanes(run, job, [laneOf(run, peer, rings, job.inFlight)], readCpu)
}

/** No two are alike. */
function messagesOf(from, count, size) {
  return Array.from({ length: count }, (_, i) => slotPayload(from + i, size, TEXT))
}
