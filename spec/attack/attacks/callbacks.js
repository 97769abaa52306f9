/** Messages to which the application throws, or rejects: a mistake that should cost one connection and no more. */
import { Opcode, frame } from '../harness/wire.js'

const THROTTLE = 16

export const callbacks = {
  id: 'callbacks',
  title: '`message` callbacks that throw or reject, 2,000 times',
  async run(attacker) {
    const message = frame(Opcode.text, 'go').toString('latin1').repeat(THROTTLE)
    await attacker.crowd(attacker.scale(2000, 400), async i => {
      const peer = await attacker.open({ path: i % 2 === 0 ? '/throw' : '/reject' })
      if (!peer.open) return
      peer.write(message)
      await peer.gone()
    })
  },
}
