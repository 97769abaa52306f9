/** Messages that the application never finishes with: what it keeps for each must not add up without end. */
import { Opcode, frame } from '../harness/wire.js'

const MESSAGE = frame(Opcode.binary, Buffer.alloc(64 * 1024, 'a'))

export const waiting = {
  id: 'waiting',
  title: '`message` callbacks that never settle, 64 KiB each, on 50 connections',
  async run(attacker) {
    const peers = await attacker.openMany(50, { path: '/hang' })
    const until = attacker.until(8, 3)
    const taken = await Promise.all(peers.map(peer => peer.flood(MESSAGE, { until })))
    attacker.count('MiB taken', Math.round(taken.reduce((a, b) => a + b, 0) / 16))
  },
}
