// @ts-check
/** A client that speaks HTTP and frames exactly as it is told, and writes down what it gets. */
import { createHash } from 'node:crypto'
import { close, CLOSE, describe, frame, PING, PONG, readFrame } from './frames.js'
import { Wire } from './wire.js'

/** Of RFC 6455, section 1.3. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const ACCEPT = createHash('sha1').update(KEY + GUID).digest('base64')
/** Those of a good request; each can be replaced. */
export const HEADERS = {
  Host: '127.0.0.1',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Key': KEY,
  'Sec-WebSocket-Version': '13',
}
/** What of the headers of a response matters beside its status. */
const NOTABLE = ['sec-websocket-version', 'sec-websocket-protocol', 'sec-websocket-extensions']

/** Milliseconds without a byte after which a server is taken to have nothing to say: more than a busy machine costs it. */
const SILENCE = 1_000
/** Milliseconds that a server gets to end the connection after its close frame, before the client answers that. */
const BEFORE_ANSWER = 50
/** What ends a broadcast conversation; no part of what is noted. */
export const THE_END = Buffer.from('that was all')

/** @typedef {Record<string, string | string[] | undefined>} Headers undefined leaves one out, a list is several */
/**
 * @typedef {object} Request
 * @property {string} [path]
 * @property {Record<string, string>} [query] what module.c and facade.js are to do
 * @property {string} [line] the request line, with a star for the target
 * @property {Headers} [headers]
 * @property {string} [extra] header lines as they are
 * @property {Buffer} [behind] what goes out in the same segment
 */

export class Client {
  #wire
  #pings = 0
  /** @type {NodeJS.Timeout | undefined} */
  #answer
  /** What came, one line each. @type {string[]} */
  notes = []
  upgraded = false

  /**
   * @param {Wire} wire
   * @param {string} name that its callbacks have in their lines
   */
  constructor(wire, name) {
    this.#wire = wire
    this.name = name
  }

  /**
   * @param {number} port
   * @param {string} name
   */
  static async connect(port, name) {
    return new Client(await Wire.connect(port), name)
  }

  /** Whether the server has ended the connection. */
  get over() {
    return this.#wire.over
  }

  /** @param {...Buffer} pieces go out as one */
  send(...pieces) {
    this.#wire.write(Buffer.concat(pieces))
    return this
  }

  /** @param {Buffer} bytes one by one, each in a turn of its own */
  async trickle(bytes) {
    for (const byte of bytes) {
      this.#wire.write(Buffer.of(byte))
      await new Promise(resolve => setImmediate(resolve))
    }
  }

  /** Asks the server to do something: a message that module.c and facade.js understand. @param {string} steps */
  ask(steps) {
    return this.send(frame(1, `!${steps}`))
  }

  /** @param {Request} request */
  sendRequest({ path = '/talk', query = {}, line = 'GET * HTTP/1.1', headers = {}, extra = '', behind } = {}) {
    const target = `${path}?${new URLSearchParams({ name: this.name, ...query })}`.replaceAll('%2C', ',')
    const lines = Object.entries({ ...HEADERS, ...headers }).flatMap(([name, values]) =>
      [values ?? []].flat().map(value => `${name}: ${value}\r\n`)
    )
    const head = `${line.replace('*', target)}\r\n${lines.join('')}${extra}\r\n`
    this.send(Buffer.from(head, 'latin1'), behind ?? Buffer.alloc(0))
  }

  /**
   * Takes the response to a request and notes its status, with all its headers if wanted.
   *
   * @param {{ headers?: boolean, bare?: boolean }} [options] `bare`: no body comes, whatever the headers say
   */
  async response({ headers: noteHeaders = false, bare = false } = {}) {
    const head = await this.#wire.next(() => this.#cutAt('\r\n\r\n'), 'a response')
    if (head === undefined) return this.#note('closed without an answer')
    const [line, ...fields] = head.split('\r\n')
    const headers = new Map(fields.map(field => /** @type {[string, string]} */ (field.split(/: */, 2))))
    const valueOf = (/** @type {string} */ name) => [...headers].find(([key]) => key.toLowerCase() === name)?.[1]
    const status = Number(line.split(' ')[1])
    this.upgraded = status === 101
    if (noteHeaders) this.#note([line, ...fields].join('; ').replace(/kore \([^)]*\)/, 'kore (version)'))
    else this.#note([status, ...notable(status, valueOf)].join(', '))
    const length = Number(valueOf('content-length') ?? 0)
    if (this.upgraded || length === 0 || bare) return
    await this.#wire.next(() => this.#wire.cut(length), 'the body of the response')
  }

  /** @param {string} end */
  #cutAt(end) {
    const at = this.#wire.bytes.indexOf(end)
    return at < 0 ? undefined : this.#wire.cut(at + end.length)?.toString('latin1', 0, at)
  }

  /** The next frame, noted; undefined at the end. */
  async frame() {
    const received = await this.#wire.next(() => this.#cutFrame(), 'a frame or the end')
    if (received === undefined) return undefined
    this.#noteFrame(received)
    return received
  }

  #cutFrame() {
    const received = readFrame(this.#wire.bytes)
    if (received) this.#wire.cut(received.size)
    return received
  }

  /** Notes so many frames. @param {number} count */
  async frames(count) {
    for (let i = 0; i < count; i++) await this.frame()
  }

  /**
   * Notes everything until the server ends the connection; answers a close frame, if the server waits for that.
   *
   * @param {{ how?: boolean }} [options] whether the note tells FIN and RST apart
   */
  async ended({ how = false } = {}) {
    for (;;) {
      const received = await this.frame()
      if (received === undefined) break
      if (received.opcode === CLOSE) this.#answerSoon()
    }
    this.#note(how && (await this.#wire.isReset()) ? 'reset' : 'closed')
  }

  /** Answers a close frame, unless the server has ended the connection by then. */
  #answerSoon() {
    this.#answer = setTimeout(() => this.over || this.send(close(1000)), BEFORE_ANSWER)
  }

  /**
   * Asks with a ping whether the connection goes on, and notes what comes before the answer.
   *
   * @param {{ answers?: boolean }} [options] whether a close frame is answered, for a server that waits for that
   */
  async alive({ answers = true } = {}) {
    const payload = Buffer.from(`alive ${++this.#pings}`)
    this.send(frame(PING, payload))
    for (;;) {
      const received = await this.#wire.next(() => this.#cutFrame(), 'the answer to a ping, or the end')
      if (received === undefined) return this.#note('closed')
      if (received.opcode === PONG && received.payload.equals(payload)) {
        clearTimeout(this.#answer)
        return this.#note('goes on')
      }
      this.#noteFrame(received)
      // Who means it answers no ping any more.
      if (answers && received.opcode === CLOSE) this.#answerSoon()
    }
  }

  /**
   * A ping and its answer, of which nothing is noted but what comes before. A close frame may be the payload of a
   * broadcast: to answer it, where the pong is slow, would end what goes on.
   *
   * @returns {Promise<void>}
   */
  async roundTrip() {
    await this.alive({ answers: false })
    if (this.notes.at(-1) === 'goes on') this.notes.pop()
  }

  /** Notes what comes until the server is silent or ends the connection. @param {number} [milliseconds] */
  async settle(milliseconds = SILENCE) {
    for (;;) {
      const received = this.#cutFrame()
      if (received) this.#noteFrame(received)
      else if (this.over) return this.#note('closed')
      else if (!(await this.#wire.stirs(milliseconds))) return this.#note('silence')
    }
  }

  /** The client's own half is over. */
  finish() {
    this.#wire.finish()
    return this
  }

  /** As `finish`; resolves when the server's side has the FIN. */
  finished() {
    return this.#wire.finished()
  }

  reset() {
    this.#wire.reset()
    return this
  }

  /** The client stops reading, or goes on. @param {boolean} stopped */
  stopReading(stopped) {
    this.#wire.stopReading(stopped)
  }

  /** Reads to the end, and notes whether as many bytes of payload came. @param {number} size */
  async noteSize(size) {
    for (;;) {
      const received = await this.#wire.next(() => this.#cutFrame(), 'a frame or the end')
      if (received === undefined) break
      if (received.opcode === CLOSE) this.#answerSoon()
      this.#note(received.payload.length === size ? 'all of it' : describe(received))
    }
    this.#note(this.#wire.bytes.length > 0 ? 'a part of it; closed' : 'closed')
  }

  /** Notes only whether the server has ended the connection. */
  async noteWhetherOver() {
    while (this.#cutFrame());
    await this.alive()
    this.notes = [this.notes[0], this.over ? 'closed' : 'goes on']
  }

  destroy() {
    this.#wire.destroy()
  }

  /** Notes frames up to the one with this payload. @param {string} payload */
  async framesUntil(payload) {
    for (;;) {
      const received = await this.frame()
      if (received === undefined || received.payload.equals(Buffer.from(payload))) return
    }
  }

  /** @param {string} text */
  note(text) {
    this.#note(text)
  }

  /** @param {import('./frames.js').Received} received */
  #noteFrame(received) {
    if (!received.payload.equals(THE_END)) this.#note(describe(received))
  }

  /** @param {string} text */
  #note(text) {
    this.notes.push(text)
  }
}

/**
 * What of a response matters beside its status.
 *
 * @param {number} status
 * @param {(name: string) => string | undefined} valueOf
 */
function* notable(status, valueOf) {
  if (status === 101) yield valueOf('sec-websocket-accept') === ACCEPT ? 'the right accept' : 'another accept'
  for (const name of NOTABLE) {
    const value = valueOf(name)
    if (value !== undefined) yield `${name}: ${value}`
  }
}
