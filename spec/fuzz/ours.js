/** A stream through an Endpoint, in one of the ways it may come and with one of the kernels it may use. */
import * as zlib from 'node:zlib'
import { event, messageEvent } from './model.js'
import { Random } from './random.js'
import { piecesOf } from './streams.js'

const ARENA_SIZE = 256 * 1024
/** What a client masks its answers with, here. */
export const KEY = Buffer.from('37fa213d', 'hex')

/** Memory is overwritten once it is not lent any more. */
const SPOILT = 0xaa

/**
 * @param {object} lib what is used of lib: Endpoint, BufferedOutput, useSimd, createSimdMemory, Codecs, portableEngine,
 *   createFastEngine
 */
export function createDriver(lib) {
  const simd = lib.createSimdMemory(ARENA_SIZE)
  const arena = Buffer.from(simd.buffer)
  const fast = lib.createFastEngine(zlib)
  const engines = { fast: fast ?? lib.portableEngine, portable: lib.portableEngine }
  const codecs = { fast: new lib.Codecs(engines.fast), portable: new lib.Codecs(engines.portable) }

  /** @returns {object | undefined} what the endpoint gets as `compression` */
  function compressionFor(role, deflate, engine, threshold = 0) {
    if (deflate === undefined) return undefined
    const agreement = {
      serverNoContextTakeover: !deflate.takeover,
      clientNoContextTakeover: !deflate.takeover,
      serverMaxWindowBits: deflate.windowBits,
      clientMaxWindowBits: deflate.windowBits,
    }
    const settings = { level: deflate.level ?? 1, memLevel: 8, windowBits: 15, mode: 'dedicated' }
    return {
      compressor: codecs[engine].createCompressor(role, agreement, settings),
      decompressor: codecs[engine].createDecompressor(role, agreement),
      threshold,
    }
  }

  class Run {
    events = []
    end = { type: 'open' }
    /** How many bytes had come when it ended; undefined where that was later. */
    endedAt
    output = new lib.BufferedOutput()
    /** Complaints about promises that were not kept. */
    broken = []
    #owned = []
    #pieces = []
    #random
    #pausing
    #received = 0
    #callsLeft
    #busy = false
    #idle
    #current
    #memory

    constructor({ role, limit, deflate }, { memory, engine, streaming, pause, failAt = Infinity }) {
      this.#memory = memory
      this.#callsLeft = failAt
      this.#pausing = pause !== undefined
      this.#random = new Random(pause ?? 0)
      this.endpoint = new lib.Endpoint(this, this.output, {
        role,
        maxMessageBytes: limit,
        maskingKey: () => KEY.readInt32LE(),
        compression: compressionFor(role, deflate, engine),
      })
      this.endpoint.streaming = streaming
    }

    onMessage(opcode, bytes, start, end, ascii, lent) {
      const payload = Buffer.from(bytes.subarray(start, end))
      if (ascii && payload.some(byte => byte > 0x7f)) this.broken.push('not ASCII')
      if (!lent && bytes !== this.#current) this.#owned.push([bytes.subarray(start, end), payload])
      this.#happened(messageEvent(opcode, payload))
    }

    onMessagePiece(opcode, bytes, start, end) {
      if (this.end.type !== 'open') this.broken.push('a piece after the end')
      this.#pieces.push(Buffer.from(bytes.subarray(start, end)))
      this.#mayPause()
    }

    onMessageEnd(opcode) {
      const payload = Buffer.concat(this.#pieces)
      this.#pieces = []
      this.#happened(messageEvent(opcode, payload))
    }

    onPing(bytes, start, end) {
      this.#happened(event('ping', Buffer.from(bytes.subarray(start, end))))
    }

    onPong(bytes, start, end) {
      this.#happened(event('pong', Buffer.from(bytes.subarray(start, end))))
    }

    onClose(code, reason, cause) {
      if (this.end.type !== 'open') this.broken.push('closed twice')
      if (this.#current !== undefined) this.endedAt = this.#received
      this.end =
        cause === undefined ? { type: 'closed', code, reason } : { type: 'failed', code, violation: cause.code }
      if (cause !== undefined && cause.name !== 'Violation') this.broken.push(`failed for ${cause}`)
    }

    onBusy(busy) {
      this.#busy = busy
      if (busy) return
      if (!this.endpoint.paused) this.#resume()
      this.#idle?.()
    }

    onOutput() {}

    #happened(what) {
      if (this.end.type !== 'open') this.broken.push(`after the end: ${what.slice(0, 40)}`)
      if (this.endpoint.paused && !this.endpoint.streaming) this.broken.push(`while paused: ${what.slice(0, 40)}`)
      this.events.push(what)
      this.#mayPause()
    }

    #mayPause() {
      if (this.#callsLeft-- === 0) this.endpoint.fail(1011, '')
      if (!this.#pausing || !this.#random.oneIn(3)) return
      this.endpoint.pause()
      if (this.#random.oneIn(3)) this.endpoint.resume()
    }

    #useKernel() {
      if (this.#memory === 'simd') lib.useSimd(simd.buffer, simd.xor)
      else lib.useSimd()
    }

    #resume() {
      this.#useKernel()
      this.endpoint.resume()
    }

    receive(piece) {
      this.#useKernel()
      const offset = this.#random.below(16)
      const inArena = this.#memory === 'simd' && piece.length <= ARENA_SIZE - 16
      const memory = inArena ? arena : Buffer.allocUnsafeSlow(piece.length + 16)
      piece.copy(memory, offset)
      this.#current = memory
      this.#received += piece.length
      this.endpoint.receive(memory, offset, offset + piece.length)
      this.#current = undefined
      memory.fill(SPOILT, 0, offset + piece.length)
      if (!this.#pausing) return
      if (this.#random.oneIn(6)) this.endpoint.pause()
      else if (this.endpoint.paused && this.#random.oneIn(2)) this.#resume()
    }

    /** Whatever waits is handed over. */
    async finish() {
      while (this.#busy || this.endpoint.paused) {
        if (this.endpoint.paused) this.#resume()
        if (this.#busy && this.end.type === 'open') await new Promise(resolve => (this.#idle = resolve))
        else this.#busy = false
      }
      if (this.#owned.some(([bytes, copy]) => !bytes.equals(copy)))
        this.broken.push('the memory of a message was used again')
      lib.useSimd()
      const { events, end, endedAt, broken } = this
      return { events, end, endedAt, broken, sent: this.output.take().toString('latin1') }
    }
  }

  /** What came of it: events, the end and the byte it came with, broken promises, and what was sent. */
  async function runOurs(settings, variant) {
    const run = new Run(settings, variant)
    if (variant.closing) run.endpoint.close(1000)
    for (const piece of piecesOf(settings.stream, variant.cuts)) run.receive(piece)
    return run.finish()
  }

  return { runOurs, compressionFor, lib }
}

/** The ways in which a stream is tried: every kernel, cut and whole, paused, and handed over in pieces. */
export function variantsFor(cuts, seed) {
  return [
    { name: 'fast', memory: 'simd', engine: 'fast', streaming: false, cuts },
    { name: 'portable, whole', memory: 'plain', engine: 'portable', streaming: false, cuts: [] },
    { name: 'plain, paused', memory: 'plain', engine: 'fast', streaming: false, cuts, pause: seed },
    // Nothing follows then.
    {
      name: 'failed inside a callback',
      memory: 'plain',
      engine: 'portable',
      streaming: seed % 4 < 2,
      cuts: [],
      failAt: seed % 5,
    },
    // Behind a close frame of ours all is read and answered as before, but for the second close frame.
    { name: 'closing', memory: 'plain', engine: 'fast', streaming: false, cuts: [], closing: true },
    {
      name: 'in pieces',
      memory: 'simd',
      engine: 'portable',
      streaming: true,
      cuts,
      pause: seed % 2 === 0 ? seed : undefined,
    },
  ]
}
