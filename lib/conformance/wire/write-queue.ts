/** What leaves in turns: bytes cut into pieces, each of which is a write of its own in a turn of the event loop. */
import type { Socket } from 'node:net'

export class WriteQueue {
  readonly #socket: Socket
  #pieces: Buffer[] = []
  #next = 0
  #turn: NodeJS.Immediate | undefined
  #stopped = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Whether something waits for its turn. */
  get waiting(): boolean {
    return this.#turn !== undefined
  }

  /**
   * Writes at once, unless something waits for its turn already.
   *
   * @param chop octets per piece; 0: one piece
   * @param alone waits for a turn of its own
   */
  write(bytes: Buffer, chop = 0, alone = false): void {
    if (this.#stopped) return
    if (chop === 0 && !alone && this.#turn === undefined) {
      this.#socket.write(bytes)
      return
    }
    const size = chop === 0 ? bytes.length : chop
    for (let from = 0; from < bytes.length; from += size) this.#pieces.push(bytes.subarray(from, from + size))
    this.#schedule()
  }

  /** What waits is written at once, and nothing after it. */
  finish(): void {
    if (this.#stopped) return
    this.#stopped = true
    clearImmediate(this.#turn)
    this.#turn = undefined
    for (const piece of this.#pieces.slice(this.#next)) this.#socket.write(piece)
  }

  #schedule(): void {
    if (this.#turn !== undefined) return
    this.#turn = setImmediate(() => {
      this.#turn = undefined
      const piece = this.#pieces[this.#next++]
      if (piece !== undefined) this.#socket.write(piece)
      if (this.#next < this.#pieces.length) {
        this.#schedule()
        return
      }
      this.#pieces = []
      this.#next = 0
    })
  }
}
