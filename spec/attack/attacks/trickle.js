/** A message of 16 MiB, a byte at a time, from many: each byte is a read of its own. */
import { Opcode, frame } from '../harness/wire.js'

const CLAIMED = 16 * 1024 * 1024
const EVERY = 10

export const trickle = {
  id: 'trickle',
  title: '16 MiB messages byte by byte on 500 connections',
  async run(attacker) {
    const peers = await attacker.openMany(attacker.scale(500, 300), { path: '/sink' })
    for (const peer of peers) peer.write(frame(Opcode.binary, 'a', { length: CLAIMED }))
    const until = attacker.until(12, 2)
    let sent = 0
    while (performance.now() < until) {
      for (const peer of peers) if (peer.write('a')) sent++
      await new Promise(resolve => setTimeout(resolve, EVERY))
    }
    attacker.count('bytes taken', sent)
  },
}
