/** One connection that keeps so many requests in flight, and checks what comes back. */

/**
 * @typedef {object} Rings what is sent and what must come back
 * @property {import('./frames.js').RequestRing} requests
 * @property {() => { read(bytes: Buffer, end: number): number }} createReader of one connection
 * @property {number} [repliesEach] to one request; default 1
 * @property {number} [worth] how many messages a reply stands for; default 1
 */

export class Lane {
  #run
  #client
  #requests
  #reader
  #inFlight
  #repliesEach
  #worth
  /** Whether the run takes the latency of its replies. */
  timed
  #sentAt = 0
  #sent = 0
  /** Replies of a request that has not got all of them yet. */
  #part = 0
  #answered = 0

  constructor(run, client, { requests, createReader, repliesEach = 1, worth = 1 }, inFlight) {
    this.#run = run
    this.#client = client
    this.#requests = requests
    this.#reader = createReader()
    this.#inFlight = inFlight
    this.#repliesEach = repliesEach
    this.#worth = worth
    this.timed = inFlight === 1 && repliesEach === 1
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
    run.count += replies * this.#worth
    let answered = replies
    if (this.#repliesEach > 1) {
      const all = this.#part + replies
      answered = Math.floor(all / this.#repliesEach)
      this.#part = all - answered * this.#repliesEach
    }
    this.#answered += answered
    if (this.#answered > this.#sent) throw new Error('more replies came than were asked for')
    if (this.timed && answered > 0) {
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
