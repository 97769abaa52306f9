/** One sender, many receivers: the sender sends the next message when all receivers have got one. */
import { maskedFrame, plainFrame, ReplyRing, RequestRing, slotPayload, TEXT } from './frames.js'
import { ReplyReader } from './reply-reader.js'

const LEAST_SLOTS = 4
/** Some servers let a connection take part a moment after they have answered its handshake. */
const SETTLE = 200

/** @param {import('./run.js').Run} run */
export async function runFanout(run, job, readCpu) {
  const { size, inFlight, receivers } = job
  const slots = Math.max(LEAST_SLOTS, inFlight)
  const payloads = Array.from({ length: slots }, (_, slot) => slotPayload(slot, size, TEXT))
  const replies = new ReplyRing(payloads.map(payload => plainFrame(TEXT, payload)), TEXT, size, false)
  const requests = new RequestRing(payloads.map(payload => maskedFrame(TEXT, payload)), inFlight)
  const fan = new Fan(run, requests, slots, receivers, inFlight === 1)
  await run.open(job.address, receivers, client => {
    const reader = new ReplyReader(replies)
    const receiver = { seen: 0 }
    run.listen(client, (bytes, end) => fan.received(receiver, reader.read(bytes, end)))
  })
  await run.open(job.address, 1, client => {
    fan.sender = client
    run.listen(client, () => {
      throw new Error('the sender got a message, though it is left out')
    })
  })
  await run.pause(SETTLE)
  fan.send(inFlight)
  const window = await run.measure(job, readCpu)
  const latency = inFlight === 1 ? run.percentiles() : undefined
  await run.drain(() => fan.sent * receivers - run.count)
  return { ...window, latency }
}

class Fan {
  sent = 0
  sender
  #run
  #requests
  #slots
  #receivers
  #timed
  #sentAt = 0
  /** By slot: how many receivers have not got the message yet. */
  #missing

  constructor(run, requests, slots, receivers, timed) {
    this.#run = run
    this.#requests = requests
    this.#slots = slots
    this.#receivers = receivers
    this.#timed = timed
    this.#missing = new Int32Array(slots)
  }

  send(count) {
    for (let i = 0; i < count; i++) this.#missing[(this.sent + i) % this.#slots] = this.#receivers
    this.sender.write(this.#requests.take(this.sent, count))
    this.sent += count
    if (this.#timed) this.#sentAt = performance.now()
  }

  received(receiver, count) {
    const run = this.#run
    if (receiver.seen + count > this.sent) throw new Error('more messages came than were sent')
    run.count += count
    let complete = 0
    for (let i = 0; i < count; i++) {
      if (--this.#missing[(receiver.seen + i) % this.#slots] === 0) complete++
    }
    receiver.seen += count
    if (complete === 0) return
    if (this.#timed) run.latency.record(performance.now() - this.#sentAt)
    if (run.going) this.send(complete)
  }
}
