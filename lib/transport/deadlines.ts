/** All deadlines of a thread on one timer: a wheel of slots, each a linked list, so that a deadline costs no timer. */

/** How often the wheel turns, in milliseconds: deadlines are kept to within this. */
export const RESOLUTION = 100
const SLOTS = 512

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
    this.due = currentTick() + Math.max(1, Math.ceil(delay / RESOLUTION))
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
    this.#owner.onDeadline()
  }
}

const slots: (Deadline | undefined)[] = new Array(SLOTS).fill(undefined)
let tick = 1
let count = 0
let timer: NodeJS.Timeout | undefined
let startedAt = 0
let ticksAtStart = 0

/** Milliseconds on a clock that moves once a tick: cheap enough to be read for every read of every socket. */
export function coarseNow(): number {
  return tick * RESOLUTION
}

function start(): void {
  if (timer !== undefined) return
  startedAt = performance.now()
  ticksAtStart = tick
  timer = setInterval(turn, RESOLUTION)
  timer.unref()
}

/** Where the wheel should be; it is behind while work keeps the thread busy. */
function currentTick(): number {
  return ticksAtStart + Math.floor((performance.now() - startedAt) / RESOLUTION)
}

function turn(): void {
  const now = currentTick()
  while (tick < now) {
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
