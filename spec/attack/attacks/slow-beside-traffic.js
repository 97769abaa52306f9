/**
 * Clients that stop reading while others go on: what waits for the former is a small part of memory that the latter
 * filled, and holds all of it.
 */
import { Opcode, frame } from '../harness/wire.js'

/** Not so small that a server would copy it for its own sake. */
const SLOW = frame(Opcode.binary, Buffer.alloc(4 * 1024, 's'))
/** Two do not fit into what is left of 128 KiB, and one of a room's not into what is left of 64. */
const BUSY = frame(Opcode.binary, Buffer.alloc(62 * 1024, 'b'))
/** About what the system takes for a client that does not read, before anything waits in the server. */
const FILLING = 6 * 1024 * 1024

/**
 * @param {import('../harness/peer.js').Peer[]} slow each of which makes something wait, in turn
 * @param {import('../harness/peer.js').Peer} active waits for the echo of what it sends behind that
 */
async function alternate(attacker, slow, active, { times, until }) {
  const busy = Buffer.concat([BUSY, BUSY])
  let step = 0
  for (; step < times && active.open && performance.now() < until; step++) {
    slow[step % slow.length].write(SLOW)
    active.write(busy)
    await active.heard(2, until)
  }
  attacker.count('messages that wait', step)
}

async function fill(peers, until) {
  const many = Buffer.concat(new Array(16).fill(SLOW))
  await Promise.all(peers.map(peer => peer.flood(many, { until, times: FILLING / many.length })))
}

function echoes(id, title, more) {
  return {
    id,
    title,
    memory: true,
    ...more,
    async run(attacker) {
      for (const count of [4, 40]) {
        const until = attacker.until(20, 10)
        const stopped = await attacker.openMany(count)
        const [active] = await attacker.openMany(1)
        for (const peer of stopped) peer.deafen()
        await fill(stopped, until)
        await alternate(attacker, stopped, active, { times: attacker.scale(3000, 600), until })
      }
    },
  }
}

export const slowBesideTraffic = echoes(
  'slow-beside-traffic',
  'Echoes of 4 KiB to 4 and to 40 clients that stopped reading, between those of one that reads'
)

export const slowBesideTls = echoes('slow-beside-tls', 'The same over TLS', { tls: true })

export const slowBesideRooms = {
  id: 'slow-beside-rooms',
  title: 'The same with what is published to a room of 1 and of 10 of them, between what is to another',
  memory: true,
  async run(attacker) {
    // Each counts what all of them share: the fewer, the less is counted.
    for (const count of [1, 10]) {
      const until = attacker.until(20, 10)
      const path = `/room/${count}`
      const stopped = await attacker.openMany(count, { path })
      const [active] = await attacker.openMany(1, { path: '/room/others' })
      const [publisher] = await attacker.openMany(1, { path })
      for (const peer of stopped) peer.deafen()
      await fill([publisher], until)
      await alternate(attacker, [publisher], active, { times: attacker.scale(3000, 600), until })
    }
  },
}
