/** No attack: a hundred small messages from a few connections, which no server may have trouble with. */
import { Opcode, frame } from '../harness/wire.js'

export const selfCheck = {
  id: 'self-check',
  title: 'no attack',
  memory: true,
  async run(attacker) {
    const peers = await attacker.openMany(5, { path: '/sink' })
    for (const peer of peers) for (let i = 0; i < 20; i++) peer.write(frame(Opcode.text, 'a'))
    await attacker.wait(1, 1)
  },
}
