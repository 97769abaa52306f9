/** What comes ahead of an answer that `accept` never gives, in every size and cut that may cost more than its bytes. */
import { request } from '../harness/wire.js'

const LIMIT = 64 * 1024
/** Pieces of one byte, as many reads: each may be an object of its own. */
const PIECES = 31
const FEW = 50

/** What is sent ahead, a read each. */
const WAYS = [
  // Just under the limit, so that it is read on; and as much again.
  [Buffer.alloc(LIMIT - 1, 'e'), Buffer.alloc(LIMIT, 'e')],
  // Just over it; what is read ahead behind that belongs to the socket.
  [Buffer.alloc(LIMIT + 1, 'e'), Buffer.alloc(4 * LIMIT, 'e')],
  new Array(PIECES).fill(Buffer.from('e')),
]

export const earlyData = {
  id: 'early-data',
  title: '2,400 handshakes that `accept` never answers, with just under and over 64 KiB ahead, whole and byte by byte',
  memory: true,
  crowd: true,
  async run(attacker) {
    const peers = []
    await attacker.crowd(attacker.scale(2400, 1500), async i => {
      const peer = await attacker.dial()
      peer.write(request('/never'))
      peers.push([peer, WAYS[i % WAYS.length]])
    })
    for (let turn = 0; turn < PIECES; turn++) {
      for (const [peer, pieces] of peers) if (turn < pieces.length) peer.write(pieces[turn])
      await attacker.wait(0.03, 0.03)
    }
    // All of it byte by byte, for a few of them.
    for (let i = 0; i < LIMIT / 16; i++) {
      for (const [peer] of peers.slice(-FEW)) peer.write('e')
      if (i % 16 === 0) await attacker.wait(0.001, 0.001)
    }
    await attacker.wait(4, 1)
  },
}
