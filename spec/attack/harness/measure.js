/** One attack on one server: what it cost, what others saw, what the attacker got, and the verdict. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { newcomer, Prober } from './prober.js'
import { Target } from './target.js'

const ATTACKER = fileURLToPath(new URL('attacker.js', import.meta.url))
/** MiB: V8's heap, and all that the process may have resident: as much again for what lies outside the heap. */
export const HEAP = 256
export const MOST_RESIDENT = 512
const MIBI = 1024 * 1024
/** Milliseconds that others may have to wait. Lenient, because machines that run this are busy; the figure is told. */
const PATIENCE = 2500
/** An attack that does not come to its end in this time has hung. */
const ATTACK_TIME = 120_000
/** After the attackers are gone, so long until the server must have let go of them: what has come takes time. */
const RECOVERY = 60_000
const POLL = 100

/**
 * @typedef {object} Result
 * @property {number} peak resident bytes at most
 * @property {ReturnType<Prober['seen']>} seen what the prober saw
 * @property {number} noise the worst latency of an idle server beside it
 * @property {number | undefined} newcomer milliseconds until a new connection was served
 * @property {[string, number][]} got what the attacker got
 * @property {string | undefined} ended why the server is over, where it is
 * @property {number | undefined} left connections of the server when the attackers are gone, the prober's included
 * @property {string[]} faults none where the attack failed
 * @property {boolean} slow the faults are of time alone, which a machine that has other work may be the cause of
 */

/**
 * @param {import('./attacks.js').Attack} attack
 * @param {{ program: string, parameters?: string[], short: boolean, control: Prober, recovery?: number }} options
 * @returns {Promise<Result>}
 */
export async function measure(attack, { program, parameters = [], short, control, recovery = RECOVERY }) {
  const target = await Target.start(program, attack.compression ? [...parameters, '--compression'] : parameters, HEAP)
  const prober = await Prober.start(target.port)
  control.renew()
  const attacker = fork(ATTACKER, [attack.id, String(target.port), short ? 'short' : 'full'])
  try {
    const got = await resultOf(attacker, target)
    const seen = prober.seen
    const noise = control.seen.worst
    const served = target.ended === undefined ? await newcomer(target.port, PATIENCE + noise) : undefined
    attacker.kill('SIGKILL')
    const left = await connectionsLeft(target, recovery)
    const result = { peak: target.peak, seen, noise, newcomer: served, got, left, ended: endOf(target) }
    const others = faultsOf(result)
    const slow = slownessOf(result)
    return { ...result, faults: [...others, ...slow], slow: others.length === 0 && slow.length > 0 }
  } finally {
    attacker.kill('SIGKILL')
    prober.stop()
    target.stop()
  }
}

/** What the attacker tells; where the server ends first, that is all there is to tell. */
async function resultOf(attacker, target) {
  const late = AbortSignal.timeout(ATTACK_TIME)
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

/** @returns {string[]} sentences */
function faultsOf({ peak, seen, got, left, ended }) {
  if (ended !== undefined) return [`the process ended (${ended})`]
  const faults = []
  if (peak > MOST_RESIDENT * MIBI) faults.push(`${Math.round(peak / MIBI)} MiB resident, more than ${MOST_RESIDENT}`)
  if (seen.lost) faults.push('the connection of somebody else was lost')
  if (seen.asked === 0) faults.push('nobody was asked')
  if (left === undefined) faults.push('the server does not answer any more')
  else if (left > 1) faults.push(`${left - 1} connections were left behind`)
  for (const [what] of got) if (/^attack/.test(what)) faults.push(what)
  return faults
}

function slownessOf({ seen, noise, newcomer: served, ended }) {
  if (ended !== undefined) return []
  const faults = []
  if (seen.worst > PATIENCE + noise) faults.push(`somebody else waited ${Math.round(seen.worst)} ms`)
  if (served === undefined) faults.push(`nobody new was served within ${Math.round(PATIENCE + noise)} ms`)
  return faults
}
