/** Names of topics cut from long messages: a short text may be a part of the long one, and keep all of it. */
import { NAME } from '../servers/common.js'
import { Opcode, frame } from '../harness/wire.js'

const SIZES = [64, 64, 64, 256].map(kibibytes => kibibytes * 1024)

export const longLivedNames = {
  id: 'long-lived-names',
  title: `20,000 topics of ${NAME} characters, cut from messages of 64 and of 256 KiB`,
  memory: true,
  async run(attacker) {
    const [peer] = await attacker.openMany(1, { path: '/names' })
    const until = attacker.until(30, 10)
    const topics = attacker.scale(20_000, 2000)
    const bodies = SIZES.map(size => 'n'.repeat(size - NAME))
    let done = 0
    for (; done < topics && performance.now() < until; done++) {
      const text = `${done}`.padStart(NAME, '0') + bodies[done % bodies.length]
      if ((await peer.flood(frame(Opcode.text, text), { until, times: 1 })) === 0) break
    }
    attacker.count('topics', done)
  },
}
