/** The process that attacks: `attacker.js ID PORT SECURE_PORT short|full [SETTING]…`. Tells what it got, and holds what it has open. */
import { setTimeout as delay } from 'node:timers/promises'
import { attacks } from './attacks.js'
import { Peer } from './peer.js'
import { randomAttack } from '../random/attack.js'

const [id, port, securePort, size, ...settings] = process.argv.slice(2)
/** So many addresses of this machine an attack comes from, where it is not about one of them. */
const ADDRESSES = 250
/** Handshakes under way at a time. */
const DIALLING = 100

/** What an attack works with. */
class Attacker {
  short = size === 'short'
  /** What else the attack was started with. */
  settings = settings
  /** Whether its peers speak TLS, where nothing else is said. */
  #tls
  /** @type {Peer[]} */
  peers = []
  /** What happened besides how the peers ended: text to how often. @type {Map<string, number>} */
  counts = new Map()
  /** How peers ended: text to how often. @type {Map<string, number>} */
  #outcomes = new Map()
  #dialled = 0

  constructor(tls) {
    this.#tls = tls
  }

  /** The size of an attack: for the record, or for CI. */
  scale(full, short) {
    return this.short ? short : full
  }

  /** The moment in so many seconds. */
  until(full, short) {
    return performance.now() + 1000 * this.scale(full, short)
  }

  count(what, by = 1) {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by)
  }

  /** An address of its own for each of the first peers, then again from the first on. */
  get nextAddress() {
    const host = this.#dialled++ % ADDRESSES
    return `127.0.1.${host + 1}`
  }

  async dial(options = {}) {
    return this.#keep(await Peer.dial(this.#where(options)))
  }

  async open(options = {}) {
    return this.#keep(await Peer.open(this.#where(options)))
  }

  /** So many, a few at a time; those that were let in. */
  async openMany(count, options = {}) {
    const opened = []
    await this.crowd(count, async () => opened.push(await this.open(options)))
    return opened.filter(peer => peer.open)
  }

  /** Calls `work` so often, some calls at a time. */
  async crowd(count, work) {
    let begun = 0
    const line = async () => {
      while (begun < count) await work(begun++)
    }
    await Promise.all(Array.from({ length: Math.min(DIALLING, count) }, line))
  }

  async wait(full, short) {
    await delay(1000 * this.scale(full, short))
  }

  /** Resolves at that moment. */
  async moment(until) {
    await delay(Math.max(0, until - performance.now()))
  }

  #where(options) {
    const { tls = this.#tls } = options
    return { port: Number(tls ? securePort : port), address: this.nextAddress, ...options, tls }
  }

  #keep(peer) {
    this.peers.push(peer)
    return peer
  }

  /** Of peers that are over only their outcome is kept, where there are more and more of them. */
  forgetEnded() {
    for (const { outcome } of this.peers.filter(peer => peer.ended)) this.#tally(outcome)
    this.peers = this.peers.filter(peer => !peer.ended)
  }

  /** What it got: the most frequent first. */
  get result() {
    for (const { outcome } of this.peers) this.#tally(outcome)
    return [...sorted(this.#outcomes), ...sorted(this.counts)]
  }

  #tally(outcome) {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1)
  }
}

function sorted(counts) {
  return [...counts].sort(([, a], [, b]) => b - a)
}

const attack = [...attacks, randomAttack].find(attack => attack.id === id)
const attacker = new Attacker(attack.tls === true)
process.on('disconnect', () => process.exit())
await attack.run(attacker)
process.send(attacker.result)
// What is open stays open until the parent has looked whether others are still served.
setInterval(() => {}, 1000)
