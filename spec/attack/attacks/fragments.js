/** Messages in fragments of one byte, and of none: bookkeeping that is not counted outweighs the payload by far. */
import { Opcode, frame, repeated } from '../harness/wire.js'

export const fragments = {
  id: 'fragments',
  title: 'Fragments of one byte and of none, on 20 connections',
  async run(attacker) {
    const peers = await attacker.openMany(20, { path: '/sink' })
    const until = attacker.until(12, 3)
    const floods = ['a', ''].map(payload => repeated(frame(Opcode.continuation, payload, { fin: false })))
    await Promise.all(
      peers.map(async (peer, i) => {
        peer.write(frame(Opcode.text, '', { fin: false }))
        await peer.flood(floods[i % 2], { until })
      })
    )
  },
}
