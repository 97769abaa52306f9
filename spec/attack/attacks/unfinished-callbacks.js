/** Large messages to callbacks that never settle, by a client that goes at once and comes again. */
import { Opcode, frame } from '../harness/wire.js'

const SIZE = 16 * 1024 * 1024
const MESSAGES = [
  frame(Opcode.binary, Buffer.alloc(SIZE, 'b')),
  // One character that takes two bytes in memory makes all of them take two.
  frame(Opcode.text, Buffer.concat([Buffer.alloc(SIZE - 3, 't'), Buffer.from('€')])),
]
const CLOSE = frame(Opcode.close, Buffer.from([3, 232]))

export const unfinishedCallbacks = {
  id: 'unfinished-callbacks',
  title: 'A message of 16 MiB to a callback that never settles, a close, and again',
  memory: true,
  async run(attacker) {
    const until = attacker.until(20, 10)
    const messages = attacker.scale(60, 16)
    for (let i = 0; i < messages && performance.now() < until; i++) {
      const peer = await attacker.open({ path: '/hang' })
      if (peer.open) {
        peer.write(MESSAGES[i % MESSAGES.length])
        peer.write(CLOSE)
        await Promise.race([peer.gone(), attacker.moment(until)])
        attacker.count('messages sent')
      } else {
        await attacker.wait(0.1, 0.1)
      }
    }
  },
}
