/** Two ends of a connection that fails as sockets do: when, where and how is drawn from random numbers. */
import { Duplex } from 'node:stream'

const CODES = ['EPIPE', 'ECONNRESET', 'ETIMEDOUT']
/** What can go wrong with a write, with a read, and with the end. */
const WRITES = ['error', 'late error', 'short', 'destroy', 'silent']
const READS = ['reset', 'gone', 'end']
const FINALS = ['error', 'silent']

export function networkError(code) {
  return Object.assign(new Error(code), { code })
}

/** @param {import('../../fuzz/random.js').Random} random */
export function randomPlan(random) {
  const often = n => (random.oneIn(n) ? 1 + random.below(12) : Infinity)
  return {
    writeFault: { at: often(4), kind: random.pick(WRITES), code: random.pick(CODES) },
    readFault: { at: often(4), kind: random.pick(READS), code: random.pick(CODES) },
    finalFault: random.oneIn(8) ? random.pick(FINALS) : 'none',
    /** What arrives is changed, so that the peer breaks the protocol. */
    corruptAt: random.oneIn(12) ? 2 + random.below(8) : Infinity,
    /** Reads come whole, in random pieces, or byte by byte for small ones. */
    cuts: random.pick(['whole', 'whole', 'pieces', 'bytes']),
    slow: 1 + random.below(4),
    /** What the other side sees of a destroyed end. */
    resets: random.oneIn(2),
    allowHalfOpen: !random.oneIn(3),
  }
}

export class FaultyDuplex extends Duplex {
  /** @type {FaultyDuplex} */
  other
  #random
  #plan
  #writes = 0
  #reads = 0
  /** What has arrived and is not read yet: bytes, or null for the end. */
  #arrived = []
  #wanted = false
  #feeding = false
  #deaf = false

  constructor(random, plan) {
    super({ allowHalfOpen: plan.allowHalfOpen, writableHighWaterMark: 16 * 1024 })
    this.#random = random
    this.#plan = plan
  }

  _write(chunk, _, done) {
    this.#take([chunk], done)
  }

  _writev(chunks, done) {
    this.#take(
      chunks.map(({ chunk }) => chunk),
      done
    )
  }

  _read() {
    this.#wanted = true
    this.#feed()
  }

  _final(done) {
    this.#later(() => {
      const fault = this.#plan.finalFault
      if (fault === 'silent') return
      this.other.arrive(null)
      done(fault === 'error' ? networkError('EPIPE') : undefined)
    })
  }

  _destroy(error, done) {
    this.#arrived = []
    this.#later(() => {
      if (this.#plan.resets) this.other.lose(networkError('ECONNRESET'))
      else this.other.arrive(null)
      done(error)
    })
  }

  /** @param {Buffer | null} bytes null for the end */
  arrive(bytes) {
    if (this.#deaf || this.destroyed) return
    this.#arrived.push(bytes)
    this.#feed()
  }

  /** The network tells of an error, or only that it is over. */
  lose(error) {
    this.#later(() => this.destroy(error))
  }

  #take(chunks, done) {
    const { at, kind, code } = this.#plan.writeFault
    // Copied only when it leaves: until then the memory is the stream's.
    const leave = part => {
      const bytes = Buffer.concat(chunks)
      this.other.arrive(bytes.subarray(0, part ? this.#random.below(bytes.length + 1) : bytes.length))
    }
    if (++this.#writes < at) {
      this.#later(() => {
        leave(false)
        this.#later(done)
      })
    } else if (kind === 'error') {
      done(networkError(code))
    } else if (kind === 'late error') {
      this.#later(() => done(networkError(code)))
    } else if (kind === 'short') {
      leave(true)
      this.#later(() => done(networkError(code)))
    } else if (kind === 'destroy') {
      this.destroy(networkError(code))
      if (this.#random.oneIn(2)) this.#later(done)
    }
  }

  #feed() {
    if (this.#feeding || !this.#wanted || this.#arrived.length === 0) return
    this.#feeding = true
    this.#later(() => {
      this.#feeding = false
      if (this.destroyed || this.#arrived.length === 0) return
      this.#hand(this.#arrived.shift())
      this.#feed()
    })
  }

  #hand(bytes) {
    const { readFault, corruptAt } = this.#plan
    if (bytes === null) {
      this.#deaf = true
      this.push(null)
      return
    }
    const piece = this.#piece(bytes)
    if (++this.#reads >= readFault.at) {
      this.#deaf = true
      this.#arrived = []
      if (readFault.kind === 'end') this.push(null)
      else this.destroy(readFault.kind === 'reset' ? networkError(readFault.code) : undefined)
      return
    }
    if (this.#reads === corruptAt && piece.length > 0)
      piece[this.#random.below(piece.length)] ^= 1 << this.#random.below(8)
    this.#wanted = this.push(piece)
  }

  /** As much of it as comes in one read; the rest stays in front. */
  #piece(bytes) {
    const { cuts } = this.#plan
    const size =
      cuts === 'whole' || bytes.length < 2
        ? bytes.length
        : cuts === 'bytes' && bytes.length < 40
          ? 1
          : 1 + this.#random.below(bytes.length)
    if (size < bytes.length) this.#arrived.unshift(bytes.subarray(size))
    return bytes.subarray(0, size)
  }

  /** In a later turn: the next tick, or one of the next turns of the event loop. */
  #later(work) {
    let turns = this.#random.below(this.#plan.slow)
    if (turns === 0) {
      process.nextTick(work)
      return
    }
    const turn = () => (--turns <= 0 ? work() : setImmediate(turn))
    setImmediate(turn)
  }
}
