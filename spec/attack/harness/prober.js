/** Somebody who behaves: says a word every 50 ms and waits for the echo. */
import { Peer } from './peer.js'
import { Opcode, frame } from './wire.js'

const EVERY = 50
/** Not where the attacks come from. */
const ADDRESS = '127.0.0.2'
const NEWCOMER = '127.0.0.3'

export class Prober {
  #peer
  #timer
  /** When the words were sent that are not answered yet. @type {number[]} */
  #sent = []
  #latencies = []

  static async start(port) {
    const prober = new Prober()
    prober.#peer = await Peer.open({ port, address: ADDRESS, onMessage: () => prober.#answered() })
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
      median: all[Math.floor(all.length / 2)] ?? 0,
      late: all.filter(latency => latency > 100).length,
      worst: all.at(-1) ?? 0,
    }
  }

  /** Forgets what it saw. */
  renew() {
    this.#latencies = []
  }

  stop() {
    clearInterval(this.#timer)
    this.#peer.reset()
  }

  #ask() {
    if (!this.#peer.open) return
    this.#sent.push(performance.now())
    this.#peer.write(frame(Opcode.text, 'still there?'))
  }

  #answered() {
    this.#latencies.push(performance.now() - this.#sent.shift())
  }
}

/** Milliseconds until somebody new is connected and has been answered; undefined where that takes over `time`. */
export async function newcomer(port, time) {
  const started = performance.now()
  let answer
  const answered = new Promise(resolve => (answer = resolve))
  const served = Peer.open({ port, address: NEWCOMER, onMessage: () => answer(true) }).then(async peer => {
    if (!peer.open) return false
    peer.write(frame(Opcode.text, 'hello'))
    const yes = await Promise.race([answered, peer.gone().then(() => false)])
    peer.reset()
    return yes
  })
  const late = new Promise(resolve => setTimeout(resolve, time, false).unref())
  const yes = await Promise.race([served, late])
  return yes ? performance.now() - started : undefined
}
