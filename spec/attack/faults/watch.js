/** One connection, watched: what it is told, in which order, what its promises come to. Complaints are faults. */

/** What a schedule throws into the works itself. */
export class Planned extends Error {}

const SEQUENCE = /^([a-z]+\d*)\|(\d+)\|/

export class Watch {
  /** @type {string[]} */
  faults = []
  opened = false
  closes = 0
  gone = false
  /** Promises that have not settled, by what they are. @type {Map<Promise<unknown>, string>} */
  pending = new Map()
  #terminated = false
  #name
  /** The last number that came, by who sent it. */
  #last = new Map()
  /** Whether what comes may have been changed on the way. */
  #corrupt

  constructor(name, corrupt) {
    this.#name = name
    this.#corrupt = corrupt
  }

  complain(sentence) {
    this.faults.push(`${this.#name}: ${sentence}`)
  }

  /** Nothing may be told behind `close` but that the transport is gone, and nothing in front of `open`. */
  told(what) {
    if (!this.opened && what !== 'open') this.complain(`${what} before open`)
    if (this.closes > 0) this.complain(`${what} after close`)
  }

  onOpen() {
    if (this.opened) this.complain('open twice')
    this.opened = true
  }

  /** Drops the connection. */
  terminate(socket) {
    this.#terminated = true
    socket.terminate()
  }

  onMessage(message) {
    this.told('a message')
    if (this.#terminated) this.complain('a message after it was terminated')
    this.checkOrder(message)
  }

  /** Messages of a sender come in the order in which they were sent, each once. */
  checkOrder(message) {
    const [, sender, text] =
      SEQUENCE.exec(typeof message === 'string' ? message : message.toString('latin1', 0, 40)) ?? []
    if (this.#corrupt) return
    if (sender === undefined) {
      this.complain(`a message that nobody sent: ${JSON.stringify(message.slice(0, 40).toString())}`)
      return
    }
    const number = Number(text)
    const last = this.#last.get(sender) ?? 0
    if (number <= last) this.complain(`message ${number} of ${sender} behind ${last}`)
    this.#last.set(sender, number)
  }

  onClose() {
    this.closes++
    if (this.closes > 1) this.complain('close twice')
    if (!this.opened) this.complain('close without open')
    if (this.gone) this.complain('close after the transport was gone')
  }

  onGone() {
    if (this.gone) this.complain('gone twice')
    if (this.closes === 0) this.complain('gone without close')
    this.gone = true
  }

  /** @param {unknown} error that a callback is said to have failed with, or a Violation */
  onFailed(error) {
    if (error instanceof Planned) return
    if (error?.constructor?.name === 'Violation' && this.#corrupt) return
    this.complain(`failed with ${error?.stack ?? error}`)
  }

  /** What may come of a promise: its value, the end of the connection, what was planned. */
  track(name, promise) {
    this.pending.set(promise, name)
    promise.then(
      () => this.pending.delete(promise),
      error => {
        this.pending.delete(promise)
        if (!(error instanceof Planned) && !isClosed(error) && !isMisuse(error))
          this.complain(`${name} rejected with ${error?.stack ?? error}`)
      }
    )
  }

  /** @returns {boolean} */
  get over() {
    return this.pending.size === 0 && (!this.opened || (this.closes > 0 && this.gone))
  }

  /** What is missing where it should be over. */
  get missing() {
    const missing = [...this.pending.values()].map(name => `${name} did not settle`)
    if (this.opened && this.closes === 0) missing.push('no close')
    if (this.opened && !this.gone) missing.push('the transport is not gone')
    return missing.map(sentence => `${this.#name}: ${sentence}`)
  }
}

function isClosed(error) {
  return error?.code === 'connection-closed'
}

/** Reading whole messages and pieces at a time is refused, as it should be. */
function isMisuse(error) {
  return error?.code === 'invalid-state'
}
