/** permessage-deflate as node:zlib does it, with nothing of lib: what the specs hold lib against. */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { frame } from './frames.ts'

const TAIL = Buffer.from('0000ffff', 'hex')
const { Z_SYNC_FLUSH } = constants

/** A message compressed, referring back to nothing. */
export function deflated(message: string | Uint8Array): Buffer {
  return deflateRawSync(Buffer.from(message as string), { finishFlush: Z_SYNC_FLUSH }).subarray(0, -4)
}

/** A compressed message that refers back to nothing outside of it. */
export function inflated(compressed: Uint8Array): Buffer {
  return inflateRawSync(Buffer.concat([compressed, TAIL]), { finishFlush: Z_SYNC_FLUSH })
}

/** A whole frame with the message compressed; `first` is the first byte without RSV1. */
export function deflatedFrame(first: '81' | '82', message: string | Uint8Array): string {
  return frame(first === '81' ? 'c1' : 'c2', deflated(message))
}

/** Inflates the messages of one connection, each of which may refer back to those before. */
export class Takeover {
  #all = Buffer.alloc(0)
  #length = 0

  inflate(compressed: Uint8Array): Buffer {
    this.#all = Buffer.concat([this.#all, compressed, TAIL])
    const messages = inflateRawSync(this.#all, { finishFlush: Z_SYNC_FLUSH })
    const message = messages.subarray(this.#length)
    this.#length = messages.length
    return message
  }
}
