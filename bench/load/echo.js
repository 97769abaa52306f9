/** Requests and their replies on each connection by itself: the echoes, and bursts of many replies to one request. */
import { BINARY, burstMessages, maskedFrame, plainFrame, ReplyRing, RequestRing, slotPayload, TEXT } from './frames.js'
import { Lane } from './lane.js'
import { ReplyReader } from './reply-reader.js'

/** A ring has at least so many different messages. */
const LEAST_SLOTS = 4

/** Echo: each reply is one of the requests. `repliesMasked`: the server sends back the bytes as they came. */
export function echoRings({ size, binary, inFlight, repliesMasked }) {
  const opcode = binary ? BINARY : TEXT
  const payloads = Array.from({ length: Math.max(LEAST_SLOTS, inFlight) }, (_, slot) => slotPayload(slot, size, opcode))
  const requests = payloads.map(payload => maskedFrame(opcode, payload))
  const replies = repliesMasked ? requests : payloads.map(payload => plainFrame(opcode, payload))
  return {
    requests: new RequestRing(requests, inFlight),
    createReader: readersOf(new ReplyRing(replies, opcode, size, repliesMasked)),
  }
}

/** Burst: one request, many replies. */
export function burstRings({ inFlight, repliesEach }) {
  const payloads = burstMessages(repliesEach).map(text => Buffer.from(text))
  return {
    requests: new RequestRing([maskedFrame(TEXT, Buffer.from('go'))], inFlight),
    createReader: readersOf(new ReplyRing(payloads.map(payload => plainFrame(TEXT, payload)), TEXT, payloads[0].length, false)),
    repliesEach,
  }
}

function readersOf(replies) {
  return () => new ReplyReader(replies)
}

/** @param {import('./run.js').Run} run @param {import('./lane.js').Rings} rings */
export async function runEcho(run, job, rings, readCpu) {
  const { connections, inFlight } = job
  const lanes = []
  await run.open({ ...job.address, offer: job.offer }, connections, client => lanes.push(laneOf(run, client, rings, inFlight)))
  return runLanes(run, job, lanes, readCpu)
}

/** A lane that reads what comes to `client`, which is a Client or a Peer. */
export function laneOf(run, client, rings, inFlight) {
  const lane = new Lane(run, client, rings, inFlight)
  run.listen(client, (bytes, end) => lane.read(bytes, end))
  return lane
}

/** The measured window of lanes that are ready to start. */
export async function runLanes(run, job, lanes, readCpu) {
  for (const lane of lanes) lane.start()
  const window = await run.measure(job, readCpu)
  const latency = lanes[0].timed ? run.percentiles() : undefined
  await run.drain(() => lanes.reduce((sum, lane) => sum + lane.missing, 0))
  return { ...window, latency }
}
