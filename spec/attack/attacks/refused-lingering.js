/** Requests that are refused, by clients that neither read the answer nor go: what is left of each until they do. */
import { request } from '../harness/wire.js'

const MANY = Array.from({ length: 1000 }, (_, i) => `X${i}: abcde`)
const LONG = Array.from({ length: 120 }, (_, i) => `X${i}: ${'a'.repeat(80)}`)

/** Never whole: beyond a limit the oldest are given up for the newest. */
const HALF = request('/echo', LONG).slice(0, -2)

/** Refused by the application, by the rules of the handshake, by a limit, and for the time that they take. */
const REQUESTS = [
  request('/refused', MANY),
  request('/refused', LONG),
  request('/echo', [...LONG, 'Sec-WebSocket-Key: twice']),
  request('/echo', [`Cookie: ${'a'.repeat(20_000)}`]),
  request('/never', LONG),
]

export const refusedLingering = {
  id: 'refused-lingering',
  title: '9,000 requests that are refused or given up, on sockets that stay',
  memory: true,
  async run(attacker) {
    await attacker.crowd(attacker.scale(9000, 5000), async i => {
      const peer = await attacker.dial()
      peer.deafen()
      peer.write(i % 4 > 0 ? HALF : REQUESTS[(i / 4) % REQUESTS.length])
    })
    await attacker.wait(14, 1)
    // How it ended can only be seen by reading.
    for (const peer of attacker.peers) peer.socket.resume()
    await attacker.wait(1, 0.5)
  },
}
