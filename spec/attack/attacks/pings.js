/** Pings without end from peers that read no pong: answers that queue would pile up. */
import { Opcode, frame, repeated } from '../harness/wire.js'

export const pings = {
  id: 'pings',
  title: 'Ping floods from 50 peers that never read',
  async run(attacker) {
    const peers = await attacker.openMany(50)
    for (const peer of peers) peer.deafen()
    const flood = repeated(frame(Opcode.ping, 'p'.repeat(125)))
    const until = attacker.until(12, 3)
    const taken = await Promise.all(peers.map(peer => peer.flood(flood, { until })))
    attacker.count('MiB taken', Math.round(taken.reduce((a, b) => a + b, 0) / 16))
    // How it ended can only be seen by reading.
    for (const peer of peers) peer.socket.resume()
    await attacker.wait(1, 0.5)
  },
}
