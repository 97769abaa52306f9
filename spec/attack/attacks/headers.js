/** Requests with too much of everything: long URLs, long headers, many headers, headers without end. */
import { request } from '../harness/wire.js'

const LONG = 'a'.repeat(1024 * 1024)

const REQUESTS = [
  request(`/${LONG}`),
  request('/echo', [`Cookie: ${LONG}`]),
  request(
    '/echo',
    Array.from({ length: 20_000 }, (_, i) => `X-${i}: a`)
  ),
  request(
    '/echo',
    Array.from({ length: 1500 }, () => 'a: b')
  ),
  request('/echo', [`Sec-WebSocket-Protocol: ${'a,'.repeat(5000)}a`]),
  request('/echo', [`Sec-WebSocket-Extensions: ${'permessage-deflate;a="\\"",'.repeat(400)}x`]),
  request('/echo', ['__proto__: a', 'constructor: b', 'Sec-WebSocket-Extensions: __proto__, constructor; toString']),
  request(`/echo?${'%'.repeat(8000)}`),
]

export const headers = {
  id: 'headers',
  title: 'Header and URL floods, 4,000 requests',
  async run(attacker) {
    await attacker.crowd(attacker.scale(4000, 400), async i => {
      const peer = await attacker.dial()
      peer.write(REQUESTS[i % REQUESTS.length])
      await peer.answered()
      if (peer.open) peer.reset()
    })
    const endless = await attacker.dial()
    endless.write('GET /echo HTTP/1.1\r\n')
    await endless.flood('X-Again: and again\r\n'.repeat(1000), { until: attacker.until(4, 1) })
    attacker.count('of an endless header', 1)
  },
}
