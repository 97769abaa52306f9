/** What the attacked applications have in common, whatever they are written with. */

import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export const HOST = '127.0.0.1'

/** What a server for TLS is made with. */
export function credentials() {
  const fixture = name => readFileSync(new URL(`../../fixtures/localhost.${name}.pem`, import.meta.url))
  return { key: fixture('key'), cert: fixture('cert') }
}

/** What `/feed` sends to everybody there: together 1 MiB a second. */
export const FEED = Buffer.alloc(4096 - 96, 'f')
export const FEED_EVERY = 4

/** How much of a message `/names` takes as the name of a topic. */
export const NAME = 20

/** Milliseconds that the application takes for a message of `/slow` and of `/long`, and a handshake of `/late`. */
export const [SLOW, LONG, LATE] = [20, 10_000, 2000]

/** What the application keeps nothing for: `/never`. */
export const stuck = new Promise(() => {})

/** Bytes by which two collections may differ though nothing has come back. */
const NOISE = 1024

/** Found when it is needed first. @type {(() => void) | undefined} */
let collectGarbage

/** What the application waits for and never gets, with what it will need then: `/hang`. */
const waiting = []

/** @returns {Promise<never>} */
export function never(data) {
  return new Promise(resolve => waiting.push({ data, resolve }))
}

/** Calls `publish` as long as it says that somebody is there. */
export function startFeed(publish) {
  const timer = setInterval(() => {
    if (publish(FEED) === 0) clearInterval(timer)
  }, FEED_EVERY)
}

/**
 * Tells the parent where it listens, and whenever it asks how many connections there are, or what is held and counted.
 * Warnings, of which an attack makes many, are counted and not printed.
 *
 * @param {{ port: number, securePort?: number }} ports
 * @param {() => number} connections
 * @param {() => number | undefined} counted bytes that the server knows of; undefined for one that does not count
 */
export function report(ports, connections, counted = () => undefined) {
  const answers = {
    connections,
    memory: () => ({ real: held(), counted: counted(), connections: connections() }),
  }
  process.on('disconnect', () => process.exit())
  process.on('message', question => process.send({ [question]: answers[question]() }))
  process.send(ports)
}

/**
 * Bytes on the heap and in ArrayBuffers that are not garbage. A collection only starts the sweep that gives ArrayBuffers
 * back, on a thread that is late where the machine is busy: it goes on until nothing more comes back. The same stands in
 * spec/helpers/memory.ts, which Node 20 can't load without a loader for TypeScript.
 */
function held() {
  collectGarbage ??= collector()
  let least = collected()
  for (let same = 0; same < 2; ) {
    const now = collected()
    same = now < least - NOISE ? 0 : same + 1
    least = Math.min(least, now)
  }
  return least
}

function collected() {
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

function collector() {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc')
}
