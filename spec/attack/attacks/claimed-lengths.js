/** Headers that announce what never comes: a server that allocates by them is out of memory at once. */
import { Opcode, frame } from '../harness/wire.js'

const CLAIMED = 16 * 1024 * 1024

export const claimedLengths = {
  id: 'claimed-lengths',
  title: '2,000 messages of 16 MiB announced, one byte sent',
  async run(attacker) {
    const peers = await attacker.openMany(attacker.scale(2000, 1000), { path: '/sink' })
    for (const peer of peers) peer.write(frame(Opcode.binary, 'a', { length: CLAIMED }))
    await attacker.wait(4, 1)
  },
}
