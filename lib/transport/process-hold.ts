/** Whether what a client has under way keeps the process alive: its socket, and timers in between. */

/** A socket or a timer. Other streams have neither call. */
interface Holding {
  ref?(): unknown
  unref?(): unknown
}

export class ProcessHold {
  #holds = true
  #carrier: Holding | undefined

  /** From here on this is what is under way. */
  carry(carrier: Holding): void {
    this.#carrier = carrier
    if (!this.#holds) carrier.unref?.()
  }

  ref(): void {
    this.#holds = true
    this.#carrier?.ref?.()
  }

  unref(): void {
    this.#holds = false
    this.#carrier?.unref?.()
  }
}
