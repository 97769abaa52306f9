/**
 * Collects young garbage in time, where messages take much memory outside of V8's heap.
 *
 * What a Buffer takes is free when V8 next collects its young objects, and it does that when they fill their space. Messages
 * of 16 KiB leave few objects: far more of their memory than of V8's is garbage by then. Node 20 collects once it is 32 MiB;
 * from Node 24 on V8 marks its whole heap instead, after 12 MiB with a small one, and an echo of such messages spends half of
 * its time on that, in memory that no cache has seen for long. Collected in time, the memory is still in the cache.
 *
 * `gc({ type: 'minor' })` is what `--expose-gc` gives, here without the flag. It is tried at first use: that it frees what is
 * young and dead, and leaves alone what only a whole collection would free. Where it doesn't, where internals are not to be
 * used, and where V8 would end the process for the flag (`--freeze-flags-after-init`), V8 does as it likes.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { freezesFlags, mayUseInternals } from './switch.ts'

/** `gc` of V8's own extension. */
export type Collect = (options: { readonly type: 'minor' }) => void

/** Bytes taken for messages between two collections. */
const LEAST = 6 * 1024 * 1024
/** Where much of what is young lives, twice as many bytes come before the next, up to so many. */
const MOST = 128 * 1024 * 1024
/**
 * Bytes that are much: to copy them takes about a millisecond. Where all is garbage, a collection takes 0.1 to 0.3 (Node 20 to
 * 26). The time itself would tell less, for it may be another process's.
 */
const MUCH = 1024 * 1024
/** Milliseconds that a collection takes where nearly all is garbage. */
const USUAL = 0.5
/** The part of a program's time that collections may take beyond that: for what is young and the program's own. */
const SHARE = 1 / 50
/** Milliseconds in advance: one that takes long for once costs nothing. */
const CREDIT = 20
/** A whole collection of V8's own may come between, and make a trial look as if the call had done it: so many are made. */
const TRIALS = 5
/** Arrays that a trial leaves to be collected: some 50 KB. */
const LEFT = 500

export class YoungGarbage {
  readonly #find: () => Collect | undefined
  readonly #now: () => number
  #state: 'untried' | 'trying' | 'works' | 'fails' = 'untried'
  #collect: Collect | undefined
  #trials = 0
  #taken = 0
  /** Milliseconds that collections have taken beyond the usual, and more than their share. */
  #debt = 0
  #paidAt = 0
  #due = LEAST

  /**
   * @param find where the call comes from, asked when it is needed first; undefined where there is none
   * @param now the time in milliseconds
   */
  constructor(find: () => Collect | undefined, now: () => number = () => performance.now()) {
    this.#find = find
    this.#now = now
  }

  /** How far the trial is: not needed yet, under way, or how it came out. */
  get state(): 'untried' | 'trying' | 'works' | 'fails' {
    return this.#state
  }

  /** Bytes that are taken before the next collection. */
  get due(): number {
    return this.#due
  }

  /** So many bytes have been taken for a message; those of earlier ones may be garbage by now, and are collected. */
  add(bytes: number): void {
    this.#taken += bytes
    if (this.#taken < this.#due) return
    this.#taken = 0
    if (this.#collect !== undefined) this.#runInTime(this.#collect)
    else if (this.#state === 'untried') this.#try()
  }

  /** Where the program has much of its own that is young, a collection takes long: it then comes less often. */
  #runInTime(collect: Collect): void {
    const began = this.#now()
    this.#debt = Math.max(0, this.#debt - (began - this.#paidAt) * SHARE)
    this.#paidAt = began
    if (this.#debt > CREDIT) return
    this.#run(collect)
    this.#debt += Math.max(0, this.#now() - began - USUAL)
  }

  /** The young are collected, by the call that was tried. */
  #run(collect: Collect): void {
    const before = used()
    collect({ type: 'minor' })
    const survived = before.young - (before.all - used().all)
    this.#due = survived > MUCH ? Math.min(MOST, this.#due * 2) : Math.max(LEAST, this.#due / 2)
  }

  #try(): void {
    const collect = this.#find()
    this.#state = collect === undefined ? 'fails' : 'trying'
    if (collect === undefined) return
    const witness = oldObject(collect)
    // A WeakRef is emptied in a later turn than the one in which it was made, or not at all.
    setImmediate(() => {
      leaveGarbage()
      const before = used().young
      collect({ type: 'minor' })
      this.#trials++
      if (used().young < before && witness.deref() !== undefined) {
        this.#state = 'works'
        this.#collect = collect
      } else {
        this.#state = this.#trials < TRIALS ? 'untried' : 'fails'
      }
    })
  }
}

/** An object that nothing refers to, and that is not young any more: only a whole collection frees it. */
function oldObject(collect: Collect): WeakRef<object> {
  const reference = new WeakRef({})
  // Who survives two is not young.
  collect({ type: 'minor' })
  collect({ type: 'minor' })
  return reference
}

function leaveGarbage(): void {
  Array.from({ length: LEFT }, () => new Array<number>(10).fill(0))
}

/** Bytes of objects in V8's heap, dead ones included until they are collected. */
function used(): { readonly young: number; readonly all: number } {
  let young = 0
  let all = 0
  for (const { space_name: name, space_used_size: size } of getHeapSpaceStatistics()) {
    all += size
    if (name === 'new_space') young += size
  }
  return { young, all }
}

/**
 * V8's `gc`, as the process has it already, or from a context that is made while the flag is set.
 *
 * @param run as node:vm's
 */
export function findCollect(run: (code: string) => unknown = runInNewContext): Collect | undefined {
  if (!mayUseInternals(process)) return undefined
  if (globalThis.gc !== undefined) return globalThis.gc as Collect
  if (freezesFlags(process)) return undefined
  try {
    setFlagsFromString('--expose-gc')
    const collect = run('gc') as Collect
    setFlagsFromString('--no-expose-gc')
    return collect
  } catch {
    return undefined
  }
}

const messages = new YoungGarbage(findCollect)

/** So many bytes have been taken for a message that is handed over. */
export function countMessageMemory(bytes: number): void {
  messages.add(bytes)
}
