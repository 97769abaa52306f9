/** Pings that wait for their pongs (RFC 6455, sections 5.5.2 and 5.5.3). */
import { MisuseError } from '../protocol/misuse-error.ts'

/** So many may wait at a time. */
const MOST = 128
/** Bytes of a payload that is made here: a pong then answers no other ping. */
const OWN_SIZE = 8

interface Ping {
  readonly payload: Buffer
  readonly sentAt: number
  readonly resolve: (milliseconds: number) => void
  readonly reject: (error: Error) => void
}

let made = 0

/** A payload that no other ping of this process has. */
export function uniquePayload(): Buffer {
  const payload = Buffer.alloc(OWN_SIZE)
  payload.writeDoubleBE(++made)
  return payload
}

export class OutstandingPings {
  #pings: Ping[] = []

  /** @throws MisuseError `invalid-state` where as many wait as may */
  checkRoom(): void {
    if (this.#pings.length < MOST) return
    throw new MisuseError('invalid-state', `${MOST} pings wait for their pongs: await one before the next`)
  }

  /** A ping was sent. Resolves with the milliseconds until its pong, and rejects where the connection ends first. */
  add(payload: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#pings.push({ payload, sentAt: performance.now(), resolve, reject })
    })
  }

  /** A pong came. It also answers the pings before its own: a peer may answer only the newest. */
  answered(bytes: Buffer, start: number, end: number): void {
    const at = this.#pings.findIndex(({ payload }) => payload.compare(bytes, start, end) === 0)
    const now = performance.now()
    for (const { sentAt, resolve } of this.#pings.splice(0, at + 1)) resolve(now - sentAt)
  }

  /** The connection ended. */
  end(error: Error): void {
    for (const { reject } of this.#pings.splice(0)) reject(error)
  }
}
