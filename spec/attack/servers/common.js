/** What the attacked applications have in common, whatever they are written with. */

export const HOST = '127.0.0.1'

/** What `/feed` sends to everybody there: together 1 MiB a second. */
export const FEED = Buffer.alloc(4096 - 96, 'f')
export const FEED_EVERY = 4

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
 * Tells the parent where it listens, and how many connections there are whenever it asks. Warnings, of which an attack
 * makes many, are counted and not printed.
 *
 * @param {number} port
 * @param {() => number} connections
 */
export function report(port, connections) {
  process.on('disconnect', () => process.exit())
  process.on('message', () => process.send({ connections: connections() }))
  process.send({ port })
}
