/** Ten million messages of one byte, as many in one read as fit. */
import { Opcode, frame, repeated } from '../harness/wire.js'

const one = frame(Opcode.text, 'a')
const many = repeated(one)
const AT_ONCE = many.length / one.length

export const tinyMessages = {
  id: 'tiny-messages',
  title: '10 million messages of one byte, read after read',
  async run(attacker) {
    const messages = attacker.scale(10_000_000, 1_000_000)
    const [peer] = await attacker.openMany(1, { path: '/sink' })
    const until = attacker.until(30, 5)
    const times = await peer.flood(many, { until, times: Math.ceil(messages / AT_ONCE) })
    attacker.count('messages taken', times * AT_ONCE)
  },
}
