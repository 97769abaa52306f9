/** What the servers of the benchmark share, on Node, Bun and Deno alike. */

export const BURST = 1000

/** What `burst` answers one message with. */
export const BURST_MESSAGES = Array.from({ length: BURST }, (_, i) => `message ${String(i).padStart(4, '0')} of ${BURST}`)

/** Tells the benchmark where this server listens. */
export function announce(port) {
  console.log(`listening on http://127.0.0.1:${port}`)
}
