/** The random attack: some peers at a time, each of which does what its random numbers say. */
import { Random } from '../../fuzz/random.js'
import { EXTENSION } from '../harness/deflate.js'
import { BEGINNINGS, BEHAVIOURS, ENDINGS, pause } from './behaviours.js'

/** Peers at a time, and the most of them in all. */
const LINES = 24
const MOST = 100_000
const PATHS = ['/echo', '/echo', '/echo', '/sink', '/topics', '/names', '/slow', '/long', '/room/a', '/room/b', '/closer', '/throw']
/** Milliseconds that an answer to a handshake is waited for. */
const PATIENCE = 5000

/** Settings of the attack: the seed, and the seconds that it takes. */
export const randomAttack = {
  id: 'random',
  title: '24 peers at a time that do everything at random',
  compression: true,
  alsoTls: true,
  memory: true,
  async run(attacker) {
    const [seed, seconds] = attacker.settings.map(Number)
    const until = performance.now() + 1000 * seconds
    const lines = Array.from({ length: LINES }, async (_, line) => {
      for (let i = line; i < MOST && performance.now() < until; i += LINES) {
        // One for each, for how far a peer comes depends on the server.
        await live(attacker, new Random(seed, i))
        attacker.forgetEnded()
      }
    })
    await Promise.all(lines)
  },
}

async function live(attacker, random) {
  const tls = random.oneIn(5)
  if (random.oneIn(4)) {
    const peer = await attacker.dial({ tls })
    await act(attacker, peer, random, BEGINNINGS)
    await pause(random.below(1000))
    if (!peer.ended) peer.reset()
    return
  }
  const path = random.pick(PATHS)
  const headers = random.oneIn(2) ? [EXTENSION] : []
  const peer = await Promise.race([attacker.open({ tls, path, headers }), pause(PATIENCE)])
  if (peer === undefined) {
    attacker.count('no answer to a handshake')
    return
  }
  for (let left = 1 + random.below(6); left > 0 && peer.open; left--) {
    await act(attacker, peer, random, BEHAVIOURS)
    await pause(random.below(100))
  }
  await act(attacker, peer, random, ENDINGS)
  await pause(random.below(2000))
  if (!peer.ended) peer.reset()
}

async function act(attacker, peer, random, actions) {
  const name = random.pick(Object.keys(actions))
  attacker.count(name)
  await actions[name](peer, random)
}
