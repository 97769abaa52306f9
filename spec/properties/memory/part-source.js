/** What `sendStream` gets its pieces from: one for each order, and nothing is kept of those that it has given. */
import { payloadOf } from './payload.js'

const DONE = { done: true, value: undefined }

export class PartSource {
  /** @type {{ kind: string, size: number }[]} */
  #parts = []
  #over = false
  #taker

  [Symbol.asyncIterator]() {
    return this
  }

  next() {
    const { promise, resolve } = withResolvers()
    this.#taker = resolve
    this.#give()
    return promise
  }

  return() {
    this.end()
    return Promise.resolve(DONE)
  }

  push(kind, size) {
    this.#parts.push({ kind, size })
    this.#give()
  }

  end() {
    this.#over = true
    this.#give()
  }

  #give() {
    const taker = this.#taker
    if (taker === undefined) return
    const part = this.#parts.shift()
    if (part === undefined && !this.#over) return
    this.#taker = undefined
    taker(part === undefined ? DONE : { done: false, value: payloadOf(part.kind, part.size) })
  }
}

function withResolvers() {
  let resolve
  const promise = new Promise(settle => (resolve = settle))
  return { promise, resolve }
}
