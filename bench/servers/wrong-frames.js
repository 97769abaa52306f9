/** The plainest way to take frames of under 64 KiB apart, for the servers that cheat. */

export class FrameSplitter {
  #rest = Buffer.alloc(0)
  #onFrame

  constructor(onFrame) {
    this.#onFrame = onFrame
  }

  push(chunk) {
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (;;) {
      const rest = this.#rest
      const extended = rest.length > 1 && (rest[1] & 127) === 126
      const body = extended ? 8 : 6
      if (rest.length < body) return
      const length = extended ? rest.readUInt16BE(2) : rest[1] & 127
      if (rest.length < body + length) return
      const payload = Buffer.from(rest.subarray(body, body + length))
      for (let i = 0; i < length; i++) payload[i] ^= rest[body - 4 + (i & 3)]
      this.#rest = rest.subarray(body + length)
      this.#onFrame({ fin: true, compressed: (rest[0] & 0x40) !== 0, opcode: rest[0] & 15, payload })
    }
  }
}
