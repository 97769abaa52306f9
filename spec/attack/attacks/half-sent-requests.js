/** Requests of very many header lines that never end: each line is an object that no byte of it tells of. */
import { request } from '../harness/wire.js'

const LINES = Array.from({ length: 1000 }, (_, i) => `X${i}: abcde`)
const HALF = request('/echo', LINES).slice(0, -2)

export const halfSentRequests = {
  id: 'half-sent-requests',
  title: '3,500 requests of 1,000 header lines, from one address, that never end',
  memory: true,
  async run(attacker) {
    await attacker.crowd(attacker.scale(3500, 3000), async () => {
      const peer = await attacker.dial({ address: '127.0.1.1' })
      peer.write(HALF)
    })
    await attacker.wait(6, 1)
  },
}
