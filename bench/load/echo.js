/** Requests and their replies on each connection by itself: the echoes, and bursts of many replies to one request. */
import { BINARY, burstMessages, maskedFrame, plainFrame, ReplyRing, RequestRing, slotPayload, TEXT } from './frames.js'
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
    replies: new ReplyRing(replies, opcode, size, repliesMasked),
    repliesEach: 1,
  }
}

/** Burst: one request, many replies. */
export function burstRings({ inFlight, repliesEach }) {
  const payloads = burstMessages(repliesEach).map(text => Buffer.from(text))
  return {
    requests: new RequestRing([maskedFrame(TEXT, Buffer.from('go'))], inFlight),
    replies: new ReplyRing(payloads.map(payload => plainFrame(TEXT, payload)), TEXT, payloads[0].length, false),
    repliesEach,
  }
}

/** @param {import('./run.js').Run} run */
export async function runEcho(run, job, rings, readCpu) {
  const { connections, inFlight } = job
  const lanes = []
  await run.open(job.address, connections, client => {
    const lane = new Lane(run, client, rings, inFlight)
    lanes.push(lane)
    run.listen(client, (bytes, end) => lane.read(bytes, end))
  })
  for (const lane of lanes) lane.start()
  const window = await run.measure(job, readCpu)
  const latency = inFlight === 1 && rings.repliesEach === 1 ? run.percentiles() : undefined
  await run.drain(() => lanes.reduce((sum, lane) => sum + lane.missing, 0))
  return { ...window, latency }
}

/** One connection that keeps so many requests in flight. */
class Lane {
  #run
  #client
  #requests
  #reader
  #inFlight
  #repliesEach
  #timed
  #sentAt = 0
  #sent = 0
  /** Replies of a request that has not got all of them yet. */
  #part = 0
  #answered = 0

  constructor(run, client, { requests, replies, repliesEach }, inFlight) {
    this.#run = run
    this.#client = client
    this.#requests = requests
    this.#reader = new ReplyReader(replies)
    this.#inFlight = inFlight
    this.#repliesEach = repliesEach
    this.#timed = inFlight === 1 && repliesEach === 1
  }

  get missing() {
    return (this.#sent - this.#answered) * this.#repliesEach - this.#part
  }

  start() {
    this.#sentAt = performance.now()
    this.#send(this.#inFlight)
  }

  /** One write for all the requests that the replies of one read allow. */
  read(bytes, end) {
    const replies = this.#reader.read(bytes, end)
    const run = this.#run
    run.count += replies
    let answered = replies
    if (this.#repliesEach > 1) {
      const all = this.#part + replies
      answered = Math.floor(all / this.#repliesEach)
      this.#part = all - answered * this.#repliesEach
    }
    this.#answered += answered
    if (this.#answered > this.#sent) throw new Error('more replies came than were asked for')
    if (this.#timed && answered > 0) {
      const now = performance.now()
      run.latency.record(now - this.#sentAt)
      this.#sentAt = now
    }
    if (run.going && answered > 0) this.#send(answered)
  }

  #send(count) {
    this.#client.write(this.#requests.take(this.#sent, count))
    this.#sent += count
  }
}
