/** What is measured with compression, as data: all connections agree on permessage-deflate (RFC 7692). */
import { NO_TAKEOVER, TAKEOVER } from '../load/extension.js'

/** @typedef {import('./workloads.js').Workload} Workload */

/** Some servers keep some 300 KB for each of these. */
const TAKEOVER_CONNECTIONS = 1_000

/** JSON, of which nothing refers back to an earlier message. @type {readonly Workload[]} */
export const DEFLATE_ECHOES = [
  echoOf('deflate-64x8', '64 B', { size: 64, inFlight: 8, connections: 100 }),
  echoOf('deflate-1Kx4', '1 KiB', { size: 1024, inFlight: 4, connections: 100 }),
  echoOf('deflate-16Kx4', '16 KiB', { size: 16 * 1024, inFlight: 4, connections: 20 }),
]

/** @param {number} connections that do nothing at all @returns {Workload[]} */
export function deflateIdles(connections) {
  const common = { group: 'deflate', kind: /** @type {const} */ ('idle'), unit: 'bytes each' }
  return [
    {
      ...common,
      id: 'deflate-idle',
      title: `${connections.toLocaleString('en')} idle connections with compression, no context takeover, fewer bytes are better`,
      mode: 'deflate',
      job: { connections, offer: NO_TAKEOVER },
    },
    {
      ...common,
      id: 'deflate-idle-takeover',
      title: `${TAKEOVER_CONNECTIONS.toLocaleString('en')} connections with context takeover after one message each, fewer bytes are better`,
      mode: 'deflate-takeover',
      job: { connections: TAKEOVER_CONNECTIONS, size: 1024, offer: TAKEOVER },
    },
  ]
}

/** @returns {Workload} */
function echoOf(id, label, { size, inFlight, connections }) {
  return {
    id,
    group: 'deflate',
    title: `compressed echo ${label} × ${inFlight}, JSON, ${connections} connections`,
    kind: 'deflate',
    mode: 'deflate',
    unit: 'messages',
    job: { size, inFlight, connections, offer: NO_TAKEOVER },
  }
}
