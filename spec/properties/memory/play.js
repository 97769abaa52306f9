/** Plays the steps of a mix: each is made of the seed and its number, and of nothing that has happened. */
import { constants, deflateRawSync } from 'node:zlib'
import { frame, Opcode } from '../../attack/harness/wire.js'
import { Random } from '../../fuzz/random.js'
import { DOORS, SETTINGS } from './doors.js'
import { payloadOf } from './payload.js'
import { Peer } from './peer.js'

/** Of one step. */
const MOST_MESSAGES = 200
/** Behind the deflate stream of each message, and not sent (RFC 7692, section 7.2.1). */
const TAIL = 4
/** Bytes of a request that does not come whole. */
const MOST_HEADER = 12_000
/** One in so many connections never gets further than that. */
const INCOMPLETE = 30
/** One in so many steps finds a new connection in place of the old. */
const RENEWED = 200

export class Play {
  #mix
  #target
  #addresses
  /** @type {(Peer | undefined)[]} */
  #peers
  #ids
  #nextId = 1
  /** The steps played last, for whoever wants to know. @type {string[]} */
  log = []

  /** @param {import('./mix.js').Mix} mix @param {import('./target.js').Target} target */
  constructor(mix, target) {
    this.#mix = mix
    this.#target = target
    this.#addresses = target.addresses
    this.#peers = new Array(mix.crowd).fill(undefined)
    this.#ids = new Array(mix.crowd).fill(0)
  }

  /** @param {number} seed @param {number} index of the step */
  step(seed, index) {
    const random = new Random(seed, index)
    const slot = random.below(this.#peers.length)
    const action = random.pick(this.#mix.actions)
    const drawn = this.#draw(slot, random)
    const isRenewed = random.oneIn(RENEWED)
    if (isRenewed) this.#peers[slot]?.reset()
    if (isRenewed || this.#peers[slot]?.isGone !== false) this.#open(slot, random)
    for (const peer of this.#peers) peer?.sip()
    this.log.push(`${index}: ${slot} (${this.#ids[slot]}) ${action} ${drawn.count} x ${drawn.size} ${drawn.kind}`)
    ACTIONS[action](this.#peers[slot], { ...drawn, random, tell: order => this.#tell(slot, order) })
  }

  /** All connect. */
  open(seed, index) {
    const random = new Random(seed, -1 - index)
    for (let slot = 0; slot < this.#peers.length; slot++) this.#open(slot, random)
  }

  /** Every second connection breaks off. */
  relieve() {
    for (const peer of this.#peers.filter((_, slot) => slot % 2 === 0)) peer?.reset()
  }

  /** Resolves when no connection is left on this side. */
  async end() {
    await Promise.all(this.#peers.map(peer => peer?.reset()))
  }

  #draw(slot, random) {
    const { sizes, volumes, kinds } = this.#mix
    const volume = volumes[slot % volumes.length]
    const [from, to] = sizes[slot % sizes.length]
    const size = Math.floor(Math.min(2 ** (from + (random.below(1000) / 1000) * (to - from)), 4 * volume))
    const count = random.oneIn(2) ? 1 : 1 + random.below(Math.min(MOST_MESSAGES, Math.ceil(volume / size)))
    return { size, count, kind: random.pick(kinds), compress: random.oneIn(2) }
  }

  #open(slot, random) {
    const { doors, settings, roles, tempers, compression } = this.#mix
    const [door, name, role] = [random.pick(doors), random.pick(settings), random.pick(roles)]
    const temper = tempers[slot % tempers.length]
    const peer = new Peer(this.#addresses[`${door} ${name}`], DOORS[door].tls === true, temper)
    this.#peers[slot] = peer
    const id = this.#nextId++
    this.#ids[slot] = id
    this.log.push(`   ${slot} (${id}) opens: ${door}, ${name}, ${role}`)
    if (random.oneIn(INCOMPLETE)) {
      peer.begin('/', random.below(MOST_HEADER))
      return
    }
    const compresses = compression && SETTINGS[name].compression !== undefined
    const early = random.oneIn(3) ? frame(Opcode.binary, payloadOf('noise', random.below(40_000))) : undefined
    peer.ask(`/${role}?id=${id}`, compresses, early)
  }

  #tell(slot, order) {
    this.#target.tell({ id: this.#ids[slot], ...order })
  }
}

function wireOf({ kind, size }) {
  const payload = payloadOf(kind, size)
  return [typeof payload === 'string' ? Opcode.text : Opcode.binary, Buffer.from(payload)]
}

/** @type {Record<string, (peer: Peer, step: any) => void>} */
export const ACTIONS = {
  say(peer, step) {
    peer.write(frame(...wireOf(step)))
  },
  /** A message in two fragments, of which only a part comes until more is said. */
  sayPart(peer, { random, ...step }) {
    const [opcode, bytes] = wireOf(step)
    const half = random.below(bytes.length + 1)
    const [first, last] = [bytes.subarray(0, half), bytes.subarray(half)]
    const whole = Buffer.concat([frame(opcode, first, { fin: false }), frame(Opcode.continuation, last)])
    peer.writePart(whole, random.below(whole.length))
  },
  sayCompressed(peer, step) {
    if (!peer.compresses) return
    const [opcode, bytes] = wireOf(step)
    const deflated = deflateRawSync(bytes, { level: 1, finishFlush: constants.Z_SYNC_FLUSH })
    peer.write(frame(opcode, deflated.subarray(0, -TAIL), { compressed: true }))
  },
  flood(peer, { count, ...step }) {
    const one = frame(...wireOf(step))
    peer.write(Buffer.concat(new Array(count).fill(one)))
  },
  control(peer, { random, count }) {
    const one = frame(random.pick([Opcode.ping, Opcode.pong]), 'x'.repeat(random.below(126)))
    peer.write(Buffer.concat(new Array(count).fill(one)))
  },
  send: (_, { tell, size, count, kind, compress }) => tell({ order: 'send', size, count, kind, compress }),
  publish: (_, { tell, size, kind, compress }) => tell({ order: 'publish', size, kind, compress }),
  fill: (_, { tell }) => tell({ order: 'fill' }),
  part: (_, { tell, size, kind }) => tell({ order: 'part', size, kind }),
  finish: (_, { tell }) => tell({ order: 'finish' }),
  next: (_, { tell }) => tell({ order: 'next' }),
  settle: (_, { tell, count }) => tell({ order: 'settle', count }),
  pause: (_, { tell }) => tell({ order: 'pause' }),
  resume: (_, { tell }) => tell({ order: 'resume' }),
  admit: (_, { tell }) => tell({ order: 'admit' }),
  age: (_, { tell, random }) => tell({ order: 'age', size: random.below(4096) }),
  close: (_, { tell }) => tell({ order: 'close' }),
  terminate: (_, { tell }) => tell({ order: 'terminate' }),
  temper(peer, { random }) {
    peer.temper = random.pick(['quick', 'slow', 'dead'])
  },
  leave(peer, { random }) {
    const how = random.below(3)
    if (how === 0) peer.write(frame(Opcode.close, Buffer.from([3, 232])))
    else if (how === 1) peer.end()
    else peer.reset()
  },
}
