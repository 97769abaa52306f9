/** UTF-8 validation that may be cut anywhere (RFC 6455, section 8.1; RFC 3629). */
import { isUtf8 } from 'node:buffer'

/** Below this many bytes the loop here beats a call into native code with a view made for it. */
const NATIVE_FROM = 48

/** Whether `bytes[start, end)` is complete and valid UTF-8. */
export function isValidUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  return isUtf8(bytes.subarray(start, end))
}

/** Validates a text that arrives in pieces; says no at the first byte that can't be part of valid UTF-8. */
export class Utf8Validator {
  /** Continuation bytes that the character under way still needs. */
  #missing = 0
  /** The range of the next continuation byte: narrower than 0x80 to 0xbf right after some lead bytes. */
  #low = 0x80
  #high = 0xbf

  /** False as soon as the pieces so far can't begin a valid text. */
  push(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start
    while (this.#missing > 0 && at < end) {
      if (!this.#step(bytes[at++])) return false
    }
    if (end - at >= NATIVE_FROM) {
      const cut = lastCharacter(bytes, end)
      if (!isUtf8(bytes.subarray(at, cut))) return false
      at = cut
    }
    while (at < end) {
      if (!this.#step(bytes[at++])) return false
    }
    return true
  }

  /** Whether the text may end here: no character is under way. */
  get complete(): boolean {
    return this.#missing === 0
  }

  /** One byte on, by the table of well-formed sequences (RFC 3629, section 4). */
  #step(byte: number): boolean {
    if (this.#missing > 0) {
      if (byte < this.#low || byte > this.#high) return false
      this.#missing--
      this.#low = 0x80
      this.#high = 0xbf
      return true
    }
    if (byte < 0x80) return true
    if (byte < 0xc2 || byte > 0xf4) return false
    if (byte < 0xe0) {
      this.#missing = 1
    } else if (byte < 0xf0) {
      this.#missing = 2
      if (byte === 0xe0) this.#low = 0xa0 // no overlong form
      if (byte === 0xed) this.#high = 0x9f // no surrogates
    } else {
      this.#missing = 3
      if (byte === 0xf0) this.#low = 0x90 // no overlong form
      if (byte === 0xf4) this.#high = 0x8f // nothing above U+10FFFF
    }
    return true
  }
}

/** Where the last character before `end` begins, at most 4 bytes back; what lies before is whole characters. */
function lastCharacter(bytes: Uint8Array, end: number): number {
  let at = end - 1
  while (at > end - 4 && (bytes[at] & 0xc0) === 0x80) at--
  return at
}
