// @ts-check
/** What the peers share: deadlines, payloads, a queue of messages, and which packages are there. */
import { readFileSync } from 'node:fs'

/** Milliseconds for anything that a server on this machine answers at once, however busy it is. */
const PATIENCE = 60_000

export const KIB = 1024
export const MIB = 1024 * KIB

/** Where the length of a frame changes its form, and some beyond. */
export const SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, MIB]

/** The default limit of /chat, Kore's `websocket_maxframe`. */
export const CHAT_LIMIT = 16 * KIB

/** Characters of one to four bytes. */
export const NON_ASCII = 'Grüße aus Köln, 東京, 🎉'

/**
 * @template Value
 * @param {Promise<Value>} promise
 * @param {string} what names what did not come in time
 * @param {number} [milliseconds]
 * @returns {Promise<Value>}
 */
export async function within(promise, what, milliseconds = PATIENCE) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${milliseconds} ms`)), milliseconds)
  })
  try {
    return await Promise.race([promise, /** @type {Promise<never>} */ (late)])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Bytes in which no two places look alike for long, so that a block which is lost or moved shows.
 *
 * @param {number} size
 */
export function bytesOf(size) {
  const bytes = Buffer.allocUnsafe(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 167 + (i >> 8) * 13) & 0xff
  return bytes
}

/**
 * ASCII text made in the same way.
 *
 * @param {number} size
 */
export function textOf(size) {
  const bytes = Buffer.allocUnsafe(size)
  for (let i = 0; i < size; i++) bytes[i] = 0x21 + ((i * 31 + (i >> 8) * 13) % 90)
  return bytes.toString('latin1')
}

/**
 * Fails with a short sentence; an assertion would print megabytes.
 *
 * @param {string | Buffer} actual
 * @param {string | Buffer} expected
 */
export function expectSame(actual, expected) {
  if (typeof actual !== typeof expected) throw new Error(`expected ${describe(expected)}, got ${describe(actual)}`)
  const same = typeof actual === 'string' ? actual === expected : actual.equals(/** @type {Buffer} */ (expected))
  if (!same) throw new Error(`expected ${describe(expected)}, got ${describe(actual)} with another content`)
}

/** @param {string | Buffer} data */
function describe(data) {
  const start = typeof data === 'string' ? JSON.stringify(data.slice(0, 40)) : data.subarray(0, 20).toString('hex')
  return typeof data === 'string' ? `text of ${data.length} characters (${start})` : `binary of ${data.length} bytes (${start})`
}

/**
 * Messages as they came, for whoever asks for the next one.
 *
 * @template Message
 */
export class Inbox {
  /** @type {Message[]} */
  #messages = []
  /** @type {((message: Message) => void)[]} */
  #readers = []

  /** @param {Message} message */
  put(message) {
    const reader = this.#readers.shift()
    if (reader) reader(message)
    else this.#messages.push(message)
  }

  /**
   * @param {string} what
   * @returns {Promise<Message>}
   */
  next(what) {
    const message = this.#messages.shift()
    if (message !== undefined) return Promise.resolve(message)
    return within(new Promise(resolve => this.#readers.push(resolve)), what)
  }
}

/**
 * A package of this folder's own, never one that happens to lie further up.
 *
 * @param {string} name
 * @returns {Promise<{ module: any, title: string } | undefined>} undefined where it is not installed
 */
export async function load(name) {
  let manifest
  try {
    manifest = readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), 'utf8')
  } catch {
    return undefined
  }
  return { module: await import(name), title: `${name} ${JSON.parse(manifest).version}` }
}

export const HOW_TO_INSTALL = 'not installed; npm ci --prefix spec/peers'
