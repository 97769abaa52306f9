/** Whole requests of many header lines that wait for `accept`: what is kept of each is more than its bytes. */
import { request } from '../harness/wire.js'

const REQUESTS = [
  Array.from({ length: 120 }, (_, i) => `X${i}: ${'a'.repeat(85)}`),
  Array.from({ length: 1000 }, (_, i) => `X${i}: abcde`),
].map(lines => request('/thinking', lines))

export const pendingAccept = {
  id: 'pending-accept',
  title: '3,000 requests of 120 and of 1,000 header lines that `accept` never answers',
  memory: true,
  exhausts: true,
  async run(attacker) {
    await attacker.crowd(attacker.scale(3000, 1500), async i => {
      const peer = await attacker.dial()
      peer.write(REQUESTS[i % REQUESTS.length])
    })
    // Less than what the handshake is given.
    await attacker.wait(5, 1)
  },
}
