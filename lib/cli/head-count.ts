/** How many are here, over all workers: each tells the others its own number, and forgets those who fall silent. */
import type { Bus } from '../broadcast/bus.ts'

const CHANNEL = 'head count'
/** A process and its number, each in four bytes. */
const NOTE_SIZE = 8
/** A change is told after this many milliseconds, together with others. */
const SOON = 50
/** The number is told again this often, in milliseconds. */
const AGAIN = 2000
/** A worker that says nothing for so many times is forgotten. */
const PATIENCE = 3

export class HeadCount {
  readonly #bus: Bus
  readonly #onChange: (total: number) => void
  readonly #unsubscribe: () => void
  readonly #interval: NodeJS.Timeout
  /** By process: its number, and for how many times it may still say nothing. */
  readonly #others = new Map<number, { readonly count: number; patience: number }>()
  #own = 0
  #told = 0
  #soon: NodeJS.Timeout | undefined

  /** @param onChange called with the new total, soon after it changed */
  constructor(bus: Bus, onChange: (total: number) => void) {
    this.#bus = bus
    this.#onChange = onChange
    this.#unsubscribe = bus.subscribe(CHANNEL, bytes => {
      if (bytes.length !== NOTE_SIZE) return
      this.#others.set(bytes.readUInt32BE(0), { count: bytes.readUInt32BE(4), patience: PATIENCE })
      this.#changed()
    })
    this.#interval = setInterval(() => this.#tellAgain(), AGAIN).unref()
  }

  /** How many are here. */
  get total(): number {
    let total = this.#own
    for (const { count } of this.#others.values()) total += count
    return total
  }

  /** Somebody of this process came (1) or went (-1). */
  add(change: number): void {
    this.#own += change
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined
      this.#publish()
      this.#changed()
    }, SOON).unref()
  }

  close(): void {
    clearInterval(this.#interval)
    clearTimeout(this.#soon)
    this.#unsubscribe()
  }

  #tellAgain(): void {
    for (const [process, other] of this.#others) {
      other.patience--
      if (other.patience === 0) this.#others.delete(process)
    }
    this.#publish()
    this.#changed()
  }

  #publish(): void {
    const bytes = Buffer.alloc(NOTE_SIZE)
    bytes.writeUInt32BE(process.pid, 0)
    bytes.writeUInt32BE(this.#own, 4)
    this.#bus.publish(CHANNEL, bytes)
  }

  #changed(): void {
    const { total } = this
    if (total === this.#told) return
    this.#told = total
    this.#onChange(total)
  }
}
