/** Compressed messages small enough to be inflated at once, each to almost 8 MiB, many in one read. */
import { deflate, EXTENSION } from '../harness/deflate.js'
import { Opcode, frame } from '../harness/wire.js'

const INFLATED = 8 * 1024 * 1024 - 64 * 1024
const AT_ONCE = 15

const BOMB = deflate(Buffer.alloc(INFLATED, 'a'))
const BATCHES = [Opcode.binary, Opcode.text].map(opcode =>
  Buffer.concat(new Array(AT_ONCE).fill(frame(opcode, BOMB, { compressed: true })))
)

export const sharedBombs = {
  id: 'shared-bombs',
  title: '15 messages of 8 KB that inflate to 8 MiB, from 20 peers in one go, again and again',
  compression: true,
  memory: true,
  async run(attacker) {
    const until = attacker.until(20, 8)
    const peers = await attacker.openMany(20, { path: '/sink', headers: [EXTENSION] })
    const rounds = attacker.scale(8, 2)
    for (let round = 0; round < rounds && performance.now() < until; round++) {
      const taken = await Promise.all(peers.map((peer, i) => peer.flood(BATCHES[i % 2], { until, times: 1 })))
      attacker.count('bombs sent', AT_ONCE * taken.reduce((a, b) => a + b, 0))
      await attacker.wait(1, 1)
    }
  },
}
