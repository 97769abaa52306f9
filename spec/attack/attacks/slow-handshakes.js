/** Requests that come a byte a second: each would hold a socket and a parser for as long as it likes. */
import { request } from '../harness/wire.js'

const EVERY = 1000

export const slowHandshakes = {
  id: 'slow-handshakes',
  title: '1,000 handshakes at a byte a second',
  async run(attacker) {
    const peers = []
    await attacker.crowd(attacker.scale(1000, 300), async () => peers.push(await attacker.dial()))
    const until = attacker.until(16, 3)
    const bytes = request('/echo')
    for (let at = 0; performance.now() < until; at++) {
      for (const peer of peers) peer.write(bytes[at % bytes.length])
      await new Promise(resolve => setTimeout(resolve, EVERY))
    }
  },
}
