/** Somebody who behaves: says a word every 50 ms and waits for the echo. */
import { setTimeout as delay } from 'node:timers/promises'
import { Peer } from './peer.js'
import { p99Of, percentile, PROMPT } from './verdict.js'
import { Opcode, frame } from './wire.js'

const EVERY = 50
/** Not where the attacks come from. */
const ADDRESS = '127.0.0.2'
const NEWCOMER = '127.0.0.3'
const WORD = frame(Opcode.text, 'still there?')
/** Milliseconds that answers are waited for before something is done that would delay them. */
const HUSHED = 1000

export class Prober {
  #peer
  #timer
  #word
  /** When the words were sent that are not answered yet. @type {number[]} */
  #sent = []
  #latencies = []
  #hushed = false

  /**
   * @param {number} port
   * @param {{ tls?: boolean, word?: Buffer, headers?: string[] }} options `word`: the frame that is to be echoed
   */
  static async start(port, { tls, word = WORD, headers } = {}) {
    const prober = new Prober()
    prober.#word = word
    prober.#peer = await Peer.open({ port, tls, headers, address: ADDRESS, onMessage: () => prober.#answered() })
    prober.#timer = setInterval(() => prober.#ask(), EVERY)
    return prober
  }

  /** What it saw until now, in milliseconds; what was never answered counts with the time it has waited. */
  get seen() {
    const now = performance.now()
    const all = [...this.#latencies, ...this.#sent.map(at => now - at)].sort((a, b) => a - b)
    return {
      asked: all.length,
      lost: !this.#peer.open,
      median: percentile(all, 50),
      p99: p99Of(all),
      late: all.filter(latency => latency > PROMPT).length,
      worst: all.at(-1) ?? 0,
    }
  }

  /** Forgets what it saw. */
  renew() {
    this.#latencies = []
  }

  /** Says nothing until `goOn`. Resolves when all has been answered, or has not been for a while. */
  async hush() {
    this.#hushed = true
    const deadline = performance.now() + HUSHED
    while (this.#sent.length > 0 && performance.now() < deadline) await delay(1)
  }

  goOn() {
    this.#hushed = false
  }

  stop() {
    clearInterval(this.#timer)
    this.#peer.reset()
  }

  #ask() {
    if (!this.#peer.open || this.#hushed) return
    this.#sent.push(performance.now())
    this.#peer.write(this.#word)
  }

  #answered() {
    this.#latencies.push(performance.now() - this.#sent.shift())
  }
}

/**
 * How long a newcomer took to be connected and answered, or to be refused with 503, in milliseconds; undefined where
 * neither came within `time`.
 *
 * @returns {Promise<{ time: number, refused: boolean } | undefined>}
 */
export async function newcomer(port, time, tls) {
  const started = performance.now()
  let answer
  const answered = new Promise(resolve => (answer = resolve))
  const served = Peer.open({ port, tls, address: NEWCOMER, onMessage: () => answer('served') }).then(async peer => {
    if (!peer.open) return peer.reader.status === 503 ? 'refused' : 'lost'
    peer.write(frame(Opcode.text, 'hello'))
    const outcome = await Promise.race([answered, peer.gone().then(() => 'lost')])
    peer.reset()
    return outcome
  })
  const late = new Promise(resolve => setTimeout(resolve, time, 'lost').unref())
  const outcome = await Promise.race([served, late])
  return outcome === 'lost' ? undefined : { time: performance.now() - started, refused: outcome === 'refused' }
}
