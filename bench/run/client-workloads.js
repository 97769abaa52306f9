/** What is measured of clients, as data: one client with one connection, and the load generator as its server. */

/**
 * `batch`: so many messages the client answers with one; `inFlight`: so many batches, or messages, are on their way.
 *
 * @type {readonly import('./workloads.js').Workload[]}
 */
export const CLIENT_WORKLOADS = [
  receiveOf('client-receive-20', '20 B', { size: 20, batch: 1000, inFlight: 8 }),
  receiveOf('client-receive-1K', '1 KiB', { size: 1024, batch: 200, inFlight: 8 }),
  {
    id: 'client-echo',
    group: 'client',
    title: 'client: sends back 20 B × 32, text',
    kind: 'client-echo',
    mode: 'client-echo',
    unit: 'messages',
    job: { size: 20, inFlight: 32 },
  },
]

/** @returns {import('./workloads.js').Workload} */
function receiveOf(id, label, job) {
  return {
    id,
    group: 'client',
    title: `client: receives ${label}, text`,
    kind: 'client-receive',
    mode: 'client-receive',
    unit: 'messages',
    job,
  }
}
