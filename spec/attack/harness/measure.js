/** One attack on one server: what it cost, what others saw, what the attacker got, and the verdict. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { newcomer, Prober } from './prober.js'
import { Sampler } from './sampler.js'
import { Target } from './target.js'
import { faultsOf, PATIENCE, slownessOf } from './verdict.js'

const ATTACKER = fileURLToPath(new URL('attacker.js', import.meta.url))
/** MiB of V8's heap, where an attack asks for no other. */
export const HEAP = 256
/** All that the process may have resident: as much again for what lies outside the heap. */
export const RESIDENT = 2
/** An attack that does not come to its end in this time has hung. */
const ATTACK_TIME = 300_000
/** After the attackers are gone, so long until the server must have let go of them: what has come takes time. */
const RECOVERY = 60_000
const POLL = 100

/**
 * @typedef {object} Result
 * @property {number} peak resident bytes at most
 * @property {ReturnType<Prober['seen']>} seen what the prober saw
 * @property {{ real: number, counted: number | undefined, connections: number } | undefined} memory bytes more than
 *   before that were held, and counted, at the moment that looked worst; undefined where the attack is not about it
 * @property {number} noise the worst latency of an idle server beside it
 * @property {{ time: number, refused: boolean } | undefined} newcomer milliseconds until a new connection was served, or refused
 * @property {[string, number][]} got what the attacker got
 * @property {string | undefined} ended why the server is over, where it is
 * @property {number | undefined} left connections of the server when the attackers are gone, the prober's included
 * @property {string[]} faults none where the attack failed
 * @property {boolean} slow the faults are of time alone, which a machine that has other work may be the cause of
 */

/**
 * @typedef {object} Measuring
 * @property {string} program of servers/
 * @property {string[]} [parameters] of the program
 * @property {string[]} [settings] of the attack
 * @property {boolean} short
 * @property {Prober} control of an idle server
 * @property {number} [time] milliseconds in which the attack comes to its end
 * @property {number} [recovery] milliseconds until the server must have let go of the attackers
 */

/**
 * As `measure`, and once again where it was too slow: the machine may have had other work.
 *
 * @param {import('./attacks.js').Attack} attack
 * @param {Measuring} measuring
 * @param {(faults: string[]) => void} onAgain
 * @returns {Promise<Result>}
 */
export async function measurePatiently(attack, measuring, onAgain) {
  const result = await measure(attack, measuring)
  if (!result.slow) return result
  onAgain(result.faults)
  return measure(attack, measuring)
}

/**
 * @param {import('./attacks.js').Attack} attack
 * @param {Measuring} measuring
 * @returns {Promise<Result>}
 */
export async function measure(attack, measuring) {
  const { program, parameters = [], settings = [], short, control, time = ATTACK_TIME, recovery = RECOVERY } = measuring
  const { heap = HEAP, tls = false } = attack
  const flags = [...(attack.compression ? ['--compression'] : []), ...(tls || attack.alsoTls ? ['--tls'] : [])]
  const target = await Target.start(program, [...parameters, ...flags], heap)
  const port = tls ? target.securePort : target.port
  const prober = await Prober.start(port, { tls, ...attack.prober })
  const sampler = attack.memory ? await Sampler.start(target, prober) : undefined
  control.renew()
  prober.renew()
  const ports = [port, target.securePort ?? port].map(String)
  const attacker = fork(ATTACKER, [attack.id, ...ports, short ? 'short' : 'full', ...settings])
  try {
    const got = await resultOf(attacker, target, time)
    const seen = prober.seen
    const noise = control.seen.worst
    const memory = await sampler?.stop()
    const served = target.ended === undefined ? await newcomer(port, PATIENCE + noise, tls) : undefined
    attacker.kill('SIGKILL')
    const left = await connectionsLeft(target, recovery)
    const result = { peak: target.peak, seen, memory, noise, newcomer: served, got, left, ended: endOf(target) }
    const others = faultsOf(result, { resident: RESIDENT * heap })
    const slow = slownessOf(result, attack)
    return { ...result, faults: [...others, ...slow], slow: others.length === 0 && slow.length > 0 }
  } finally {
    attacker.kill('SIGKILL')
    prober.stop()
    target.stop()
  }
}

/** What the attacker tells; where the server ends first, that is all there is to tell. */
async function resultOf(attacker, target, time) {
  const late = AbortSignal.timeout(time)
  const told = once(attacker, 'message', { signal: late }).then(
    ([got]) => got,
    () => [['attack not over in time', 1]]
  )
  const failed = once(attacker, 'exit', { signal: late }).then(
    ([code]) => [[`attacker ended with ${code}`, 1]],
    () => []
  )
  let watching = true
  const ended = (async () => {
    while (watching && target.ended === undefined) await delay(POLL)
    return []
  })()
  const got = await Promise.race([told, failed, ended])
  watching = false
  return got
}

/** How many connections the server still has when it has had time to let go of them: its prober's, and no others. */
async function connectionsLeft(target, recovery) {
  const deadline = performance.now() + recovery
  for (;;) {
    const left = await target.connections()
    if (left === undefined || left <= 1 || performance.now() > deadline) return left
    await delay(POLL)
  }
}

function endOf(target) {
  return target.ended && `${target.ended}${target.lastWords && `: ${target.lastWords}`}`
}
