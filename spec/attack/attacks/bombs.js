/** Compressed messages that grow a thousandfold: flat, in fragments, and compressed twice. */
import { deflate, EXTENSION } from '../harness/deflate.js'
import { Opcode, frame } from '../harness/wire.js'

/** Just within the limit of a message, so that it is inflated whole; and far beyond it. */
const [ALLOWED, HUGE] = [15, 512].map(mebibytes => deflate(Buffer.alloc(mebibytes * 1024 * 1024)))
const NESTED = deflate(HUGE)

const BOMBS = [
  frame(Opcode.binary, ALLOWED, { compressed: true }),
  frame(Opcode.binary, HUGE, { compressed: true }),
  frame(Opcode.binary, NESTED, { compressed: true }),
  Buffer.concat([
    frame(Opcode.binary, HUGE.subarray(0, 1000), { compressed: true, fin: false }),
    ...Array.from({ length: 50 }, (_, i) =>
      frame(Opcode.continuation, HUGE.subarray((i + 1) * 1000, (i + 2) * 1000), { fin: false })
    ),
    frame(Opcode.continuation, HUGE.subarray(51_000)),
  ]),
]

export const bombs = {
  id: 'bombs',
  title: 'Compression bombs, 1:1000, flat, in fragments and nested, on 40 connections',
  compression: true,
  memory: true,
  async run(attacker) {
    const peers = await attacker.openMany(40, { path: '/sink', headers: [EXTENSION] })
    const until = attacker.until(12, 1)
    const taken = await Promise.all(peers.map((peer, i) => peer.flood(BOMBS[i % BOMBS.length], { until })))
    attacker.count(
      'bombs taken',
      taken.reduce((a, b) => a + b, 0)
    )
    await attacker.wait(2, 0.5)
  },
}
