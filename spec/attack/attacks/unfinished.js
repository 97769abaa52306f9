/** Messages of all but their last byte: within every limit of a connection, and together more than there is. */
import { Opcode, frame } from '../harness/wire.js'

const CLAIMED = 16 * 1024 * 1024
const PIECE = Buffer.alloc(64 * 1024, 'a')

export const unfinished = {
  id: 'unfinished',
  title: '100 messages of 16 MiB less a byte, held',
  async run(attacker) {
    const peers = await attacker.openMany(attacker.scale(100, 48), { path: '/sink' })
    const until = attacker.until(12, 5)
    const pieces = CLAIMED / PIECE.length - 1
    await Promise.all(
      peers.map(async peer => {
        peer.write(frame(Opcode.binary, '', { length: CLAIMED }))
        await peer.flood(PIECE, { until, times: pieces })
        peer.write(PIECE.subarray(1))
      })
    )
    await attacker.wait(2, 0.5)
  },
}
