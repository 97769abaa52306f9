/**
 * What a stretch of steps is made of. Each leaves out much, since what all traffic together does hides what some of it
 * does: one that is counted too high makes room for one that is not counted.
 */
import { Random } from '../../fuzz/random.js'
import { DOORS, SETTINGS } from './doors.js'
import { KINDS } from './payload.js'
import { TEMPERS } from './peer.js'

/** Steps with one mix. */
export const STRETCH = 1000
/** Tells the stream of numbers that makes mixes from the one that makes steps. */
const MIXES = 0x6d6978

/** How many connections there are at a time. */
const CROWDS = [2, 5, 5, 12, 12, 40, 120]
/** The same where TLS is among the doors, whose handshakes take long. */
const MOST_WITH_TLS = 12
/** Connections of a narrow mix. */
const FEW = [2, 4, 8]
/** Powers of two: the sizes of payloads, from and to. */
const SMALL = [
  [0, 6],
  [4, 12],
  [10, 12.5],
  [12, 13],
  [12, 14],
]
const LARGE = [
  [10, 14],
  [14, 16],
  [15, 17],
  [16, 19],
  [19, 23],
]
const MIBI = 1024 * 1024
/** Bytes that one step brings, about, and at most four times as many. */
const VOLUMES = [8 * 1024, 32 * 1024, 128 * 1024, 256 * 1024, MIBI]
/** The same where messages mostly come one at a time. */
const SINGLE = [4 * 1024, 4 * 1024, 64 * 1024]
const ROLES = ['echo', 'double', 'hang', 'pull', 'pieces', 'quiet', 'shout']
/** Its handshake waits for a step that admits it. */
const LATE_ROLE = 'think'
/** What a step may do, and how often beside the others. */
const ACTIONS = {
  say: 40,
  sayPart: 6,
  sayCompressed: 10,
  flood: 15,
  control: 3,
  send: 40,
  publish: 10,
  fill: 8,
  part: 15,
  finish: 2,
  next: 20,
  settle: 8,
  pause: 2,
  resume: 4,
  admit: 8,
  temper: 2,
  age: 5,
  close: 1,
  terminate: 1,
  leave: 2,
}
const ENDINGS = ['close', 'terminate', 'leave', 'temper']

/**
 * @typedef {object} Mix
 * @property {number} crowd connections
 * @property {string[]} doors
 * @property {string[]} settings
 * @property {string[]} roles
 * @property {string[]} tempers one connection's after the other's, and again from the first on
 * @property {number[][]} sizes the same
 * @property {number[]} volumes bytes of a step, the same
 * @property {string[]} kinds
 * @property {string[]} actions each as often as it is likely
 * @property {boolean} compression whether clients offer it
 */

/** The first stretches of every run, whatever its seed: each has found memory that was not counted. @type {Mix[]} */
const KNOWN = [
  // A few KiB that wait hold the block that they were written into, while others use up block after block.
  known({ crowd: 3, sizes: [[12, 12.2], [15, 15.9], [15, 15.9]], tempers: ['dead', 'quick', 'quick'] }),
  known({ crowd: 3, sizes: [[12, 12.2], [15, 15.9], [15, 15.9]], tempers: ['dead', 'quick', 'slow'], doors: ['tls over unix'] }),
  // The last broadcast is kept.
  known({ settings: ['shared'], compression: true, sizes: [[22, 22]], volumes: [MIBI], kinds: ['wide'], actions: rarely('publish', 99) }),
  // The last piece of a stream is kept while its source is silent.
  known({ crowd: 8, sizes: [[19, 20]], volumes: [MIBI], kinds: ['ascii', 'noise'], actions: rarely('part', 19) }),
]

/** @param {Partial<Mix>} mix @returns {Mix} */
function known(mix) {
  const usual = { crowd: 5, doors: ['unix'], settings: ['defaults'], roles: ['quiet'], tempers: ['quick'], kinds: ['noise'] }
  const volumes = mix.sizes.map(([from]) => 2 * 2 ** from)
  const actions = repeated([['send', 12], ['fill', 1]])
  return { ...usual, volumes, actions, compression: false, ...mix }
}

/** @returns {Mix} */
export function mixOf(seed, index) {
  if (index < KNOWN.length) return KNOWN[index]
  const random = new Random(seed ^ MIXES, index)
  return random.oneIn(2) ? narrowMix(random) : wideMix(random)
}

/** A little of everything. @returns {Mix} */
function wideMix(random) {
  const doors = some(random, Object.keys(DOORS), 3)
  const crowd = random.pick(CROWDS)
  const actions = Object.entries(ACTIONS).filter(() => random.oneIn(2))
  return {
    crowd: doors.some(door => DOORS[door].tls) ? Math.min(crowd, MOST_WITH_TLS) : crowd,
    doors,
    settings: some(random, Object.keys(SETTINGS), 3),
    roles: some(random, [...ROLES, LATE_ROLE], 4),
    tempers: some(random, TEMPERS, 5),
    sizes: some(random, [...SMALL, ...LARGE], 3),
    volumes: [random.pick(VOLUMES)],
    kinds: some(random, KINDS, 3),
    actions: repeated([['say', 1], ['send', 1], ...actions]),
    compression: random.oneIn(2),
  }
}

/** The same few things again and again, and nobody leaves: some take nothing, others much. @returns {Mix} */
function narrowMix(random) {
  const main = [['say', 4], ['send', 8], ['fill', 1]]
  const others = Object.keys(ACTIONS).filter(action => !ENDINGS.includes(action))
  return {
    crowd: random.pick(FEW),
    doors: some(random, Object.keys(DOORS), 1),
    settings: some(random, Object.keys(SETTINGS), 1),
    roles: some(random, ROLES, 1),
    tempers: ['dead', random.pick(['slow', 'slow', 'quick'])],
    sizes: [random.pick(SMALL), random.pick(LARGE)],
    volumes: [random.pick(SINGLE), random.pick(VOLUMES)],
    kinds: some(random, KINDS, 1),
    actions: repeated([...main, ...some(random, others, 2).map(action => [action, 2])]),
    compression: random.oneIn(2),
  }
}

/** For what is large: behind each such step come so many, about, that do next to nothing. */
function rarely(action, pauses) {
  return repeated([[action, 1], ['age', pauses]])
}

/** From one to `most` of them, perhaps the same twice. */
function some(random, items, most) {
  return Array.from({ length: 1 + random.below(most) }, () => random.pick(items))
}

/** Each as often as its weight says. */
function repeated(weights) {
  return weights.flatMap(([item, weight]) => new Array(weight).fill(item))
}
