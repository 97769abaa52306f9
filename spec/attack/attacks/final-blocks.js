/** Compressed messages of a few bytes with many ends of a stream in each, behind what they may refer back to. */
import { deflateFinally, EXTENSION } from '../harness/deflate.js'
import { Opcode, frame, repeated } from '../harness/wire.js'

/** As many as any message may have. */
const BLOCKS = 16
const MESSAGE = frame(Opcode.binary, deflateFinally(Buffer.alloc(30_000), BLOCKS), { compressed: true })
const BATCH = repeated(MESSAGE, 120 * 1024)

export const finalBlocks = {
  id: 'final-blocks',
  title: 'Messages of some 70 bytes with 16 blocks that have BFINAL set, 120 KB at a time, from 1 peer and from 100',
  compression: true,
  memory: true,
  async run(attacker) {
    for (const [count, pause] of [[1, 0.5], [100, 1]]) {
      const until = attacker.until(6, 2)
      const peers = await attacker.openMany(count, { path: '/sink', headers: [EXTENSION] })
      for (let round = 0; round < 20 && performance.now() < until; round++) {
        const taken = await Promise.all(peers.map(peer => peer.flood(BATCH, { until, times: 1 })))
        attacker.count('batches sent', taken.reduce((a, b) => a + b, 0))
        await attacker.wait(pause, pause)
      }
    }
  },
}
