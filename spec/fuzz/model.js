/** What a stream has to come to, by the RFCs: read frame by frame with all bytes at hand, no buffers, no speed. */
import { CLOSE, CONTINUATION, FIN, headerAt, payloadAt, PING, RSV1, TEXT } from './frames.js'
import { inflateMessage } from './inflate.js'

const MAX_CONTROL = 125
const MAX_SAFE = 2n ** 53n - 1n

/**
 * The most bytes of compressed data where the limit is `limit`: by no RFC, but as lib/protocol/endpoint.ts has it. A part
 * of a byte counts as one.
 */
export const mostCompressed = limit => limit + Math.ceil(limit / 8) + 1024

/** How an event is written; the same for every implementation. */
export function event(type, payload) {
  return `${type} ${payload.toString('latin1')}`
}

export function messageEvent(opcode, payload) {
  return event(opcode === TEXT ? 'text' : 'binary', payload)
}

/** Whether `bytes` can begin a text; whole: whether they are one. */
export function isText(bytes, whole) {
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: !whole })
    return true
  } catch {
    return false
  }
}

class Failure extends Error {
  constructor(violation, others = []) {
    super(violation)
    this.violations = [violation, ...others]
  }
}

class Model {
  events = []
  /** Remarks that explain where others differ. */
  facts = new Set()
  #case
  #message
  #history = Buffer.alloc(0)

  constructor(settings) {
    this.#case = settings
  }

  /** How it ends: open, closed with a code and a reason, or failed with a violation (or one of several). */
  run() {
    const { stream } = this.#case
    let at = 0
    try {
      while (at < stream.length) {
        this.frameAt = at
        const next = this.#frame(at)
        if (next === undefined) return { type: 'open' }
        if (typeof next === 'object') return { type: 'closed', ...next }
        at = next
      }
      return { type: 'open' }
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return { type: 'failed', violations: error.violations }
    }
  }

  #frame(at) {
    const { stream, role, deflate } = this.#case
    if (stream.length - at < 2) return undefined
    const [first, second] = stream.subarray(at, at + 2)
    const opcode = first & 15
    const allowed = deflate !== undefined && (opcode === 1 || opcode === 2) ? RSV1 : 0
    if ((first & 0x70 & ~allowed) !== 0) throw new Failure('reserved-bits')
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) throw new Failure('reserved-opcode')
    if (opcode >= CLOSE && (first & FIN) === 0) throw new Failure('fragmented-control')
    if (role === 'server' && (second & 0x80) === 0) throw new Failure('unmasked-frame')
    if (role === 'client' && (second & 0x80) !== 0) throw new Failure('masked-frame')
    if (opcode >= CLOSE && (second & 0x7f) > MAX_CONTROL) throw new Failure('long-control')
    const header = headerAt(stream, at)
    if (header === undefined) {
      this.facts.add('cut-header')
      return undefined
    }
    const { form, length } = header
    if (form === 64 && length >= 2n ** 63n) throw new Failure('length-top-bit')
    if (length > MAX_SAFE) throw new Failure('length-unsafe')
    if ((form === 16 && length < 126n) || (form === 64 && length < 65536n)) throw new Failure('length-not-minimal')
    const payload = payloadAt(stream, header)
    const whole = BigInt(payload.length) === length
    if (opcode >= CLOSE) {
      if (!whole && opcode === CLOSE && length === 1n) this.facts.add('cut-header')
      if (!whole) return undefined
      const closed = this.#control(opcode, payload)
      return closed ?? header.body + payload.length
    }
    this.#data(first, payload, length, whole)
    return whole ? header.body + payload.length : undefined
  }

  #control(opcode, payload) {
    if (opcode !== CLOSE) {
      this.events.push(event(opcode === PING ? 'ping' : 'pong', payload))
      return undefined
    }
    if (payload.length === 0) return { code: 1005, reason: '' }
    if (payload.length === 1) throw new Failure('close-payload-size')
    const code = payload.readUInt16BE()
    const known = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999)
    if (!known) throw new Failure('close-code')
    if (!isText(payload.subarray(2), true)) throw new Failure('close-reason-utf8')
    return { code, reason: payload.toString('utf8', 2) }
  }

  #data(first, payload, length, whole) {
    const { limit } = this.#case
    const opcode = first & 15
    if (opcode === CONTINUATION && this.#message === undefined) throw new Failure('unexpected-continuation')
    if (opcode !== CONTINUATION && this.#message !== undefined) throw new Failure('expected-continuation')
    this.#message ??= { opcode, compressed: (first & RSV1) !== 0, payload: Buffer.alloc(0) }
    const message = this.#message
    const most = message.compressed ? mostCompressed(limit) : limit
    const size = BigInt(message.payload.length) + length
    if (size > BigInt(most)) throw new Failure('message-too-big')
    if (message.compressed && size > BigInt(limit)) this.facts.add('compressed-over-limit')
    message.payload = Buffer.concat([message.payload, payload])
    const ended = whole && (first & FIN) !== 0
    if (message.compressed && (!ended || opcode === CONTINUATION)) this.facts.add('compressed-fragments')
    if (message.opcode === TEXT && !message.compressed && !isText(message.payload, ended))
      throw new Failure('invalid-utf8')
    if (!ended) return
    this.#message = undefined
    const content = message.compressed ? this.#inflate(message.payload) : message.payload
    if (message.compressed && message.opcode === TEXT && !isText(content, true)) throw new Failure('invalid-utf8')
    this.events.push(messageEvent(message.opcode, content))
  }

  #inflate(payload) {
    const { limit, deflate } = this.#case
    const { output, broken, tooBig, finals, tooMany, reach } = inflateMessage(payload, this.#history, limit)
    if (finals > 0) this.facts.add('final-block')
    if (reach > 2 ** deflate.windowBits) this.facts.add('reaches-too-far')
    // Which of the two is found first is a matter of how much is inflated at a time.
    if (tooBig) throw new Failure('message-too-big', broken === undefined && !tooMany ? [] : ['invalid-deflate'])
    if (broken !== undefined || tooMany) throw new Failure('invalid-deflate')
    if (deflate.takeover) this.#history = Buffer.concat([this.#history, output]).subarray(-(2 ** deflate.windowBits))
    return output
  }
}

/** @returns {{ events: string[], end: object, facts: Set<string>, frameAt: number }} */
export function expected(settings) {
  const model = new Model(settings)
  const end = model.run()
  return { events: model.events, end, facts: model.facts, frameAt: model.frameAt ?? 0 }
}
