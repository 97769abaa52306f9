/** A million topics, each joined and left at once by a client that may choose them. */
import { Opcode, frame } from '../harness/wire.js'

const AT_ONCE = 1000

export const subscriptions = {
  id: 'subscriptions',
  title: 'A million topics joined and left',
  async run(attacker) {
    const [peer] = await attacker.openMany(1, { path: '/topics' })
    const until = attacker.until(30, 5)
    const topics = attacker.scale(1_000_000, 200_000)
    let done = 0
    for (; done < topics && performance.now() < until; done += AT_ONCE) {
      const names = Array.from({ length: AT_ONCE }, (_, i) => `topic ${done + i}`)
      const batch = Buffer.concat(
        names.flatMap(name => [frame(Opcode.text, `+${name}`), frame(Opcode.text, `-${name}`)])
      )
      if ((await peer.flood(batch, { until, times: 1 })) === 0) break
    }
    attacker.count('topics', done)
  },
}
