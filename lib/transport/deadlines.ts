/** All deadlines of a thread on one timer: a wheel of slots, each a linked list, so that a deadline costs no timer. */

import { makeShared } from './async-context.ts'
import { callOne } from './each.ts'

/** How often the wheel turns, in milliseconds: a deadline never comes early, and at most so much late. */
export const RESOLUTION = 100
const SLOTS = 512
/** A turn so many milliseconds after the one before is late: sockets are read before anything expires. */
const LATE = 1.5 * RESOLUTION
/** Timers lag by a little, so a turn may stand for two ticks; one that would stand for more has been held up. */
const MAX_HEARD = 2

/** A deadline and its place on the wheel. It belongs to one owner and can be set again and again. */
export class Deadline {
  readonly #owner: { onDeadline(): void }
  /** @internal The tick at which it is due; 0 while it is not set. */
  due = 0
  /** @internal Its neighbours in the slot. */
  next: Deadline | undefined
  /** @internal */
  previous: Deadline | undefined

  constructor(owner: { onDeadline(): void }) {
    this.#owner = owner
  }

  /** Sets it to `delay` milliseconds from now, in place of what was set before; Infinity sets none. */
  set(delay: number): void {
    this.clear()
    if (delay === Infinity) return
    start()
    this.#insert(ticksAtStart + Math.ceil((performance.now() - startedAt + delay) / RESOLUTION))
  }

  /** As `set`, but the delay counts from the wheel's last turn: for what happens at each turn, or goes by `coarseNow`. */
  setFromTurn(delay: number): void {
    this.clear()
    if (delay === Infinity) return
    start()
    this.#insert(turnedTo + Math.ceil(delay / RESOLUTION))
  }

  #insert(due: number): void {
    // What is due at once comes at the next turn, also where the wheel is just being turned.
    this.due = Math.max(due, currentTick() + 1)
    const slot = this.due % SLOTS
    const first = slots[slot]
    this.next = first
    if (first !== undefined) first.previous = this
    slots[slot] = this
    count++
  }

  clear(): void {
    if (this.due === 0) return
    if (this.next !== undefined) this.next.previous = this.previous
    if (this.previous !== undefined) this.previous.next = this.next
    else slots[this.due % SLOTS] = this.next
    this.next = this.previous = undefined
    this.due = 0
    count--
  }

  /** @internal */
  expire(): void {
    this.clear()
    callOne(this.#owner, tell)
  }
}

const slots: (Deadline | undefined)[] = new Array(SLOTS).fill(undefined)
/** Deadlines up to this tick have been looked at. */
let tick = 1
let count = 0
let timer: NodeJS.Timeout | undefined
let startedAt = 0
let ticksAtStart = 0
/** When the wheel turned last, and at which tick. */
let turnedAt = 0
let turnedTo = 1
/** Ticks in which peers could be heard. */
let heard = 1

/**
 * Milliseconds on a clock that moves once a tick: cheap enough to be read for every read of every socket. While work, or
 * a stop of the whole process, keeps the thread from reading it stands still: silence then is not the peer's, and what is
 * read behind it may bear the time before it.
 */
export function coarseNow(): number {
  return heard * RESOLUTION
}

function start(): void {
  if (timer !== undefined) return
  startedAt = turnedAt = performance.now()
  ticksAtStart = tick
  timer = makeShared(() => setInterval(turn, RESOLUTION))
  timer.unref()
}

/** Where the wheel should be; it is behind while work keeps the thread busy. */
function currentTick(): number {
  return ticksAtStart + Math.floor((performance.now() - startedAt) / RESOLUTION)
}

function turn(): void {
  const time = performance.now()
  const late = time - turnedAt > LATE
  const now = currentTick()
  const elapsed = now - turnedTo
  turnedAt = time
  turnedTo = now
  heard += elapsed > MAX_HEARD ? 1 : elapsed
  // Timers run before sockets are read: what a peer has sent in time may still wait in the kernel.
  if (late) setImmediate(expire)
  else expire()
}

/** All that is due at the wheel's last turn. */
function expire(): void {
  while (tick < turnedTo) {
    tick++
    expireSlot(tick)
  }
  if (count === 0) {
    clearInterval(timer)
    timer = undefined
  }
}

function expireSlot(now: number): void {
  // Expiring one deadline may clear or set others, so the due ones are noted first.
  const due: Deadline[] = []
  for (let entry = slots[now % SLOTS]; entry !== undefined; entry = entry.next) {
    if (entry.due <= now) due.push(entry)
  }
  for (const entry of due) {
    if (entry.due !== 0 && entry.due <= now) entry.expire()
  }
}

function tell(owner: { onDeadline(): void }): void {
  owner.onDeadline()
}
