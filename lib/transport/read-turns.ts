/**
 * Reading has so much time in a turn of the event loop, all connections together: then they take turns.
 *
 * libuv calls back for every socket that has input before it goes on, so the work that many peers cause in one turn adds
 * up. The rest of it then waits in line, and the line has as much time in each turn.
 */

import { performance } from 'node:perf_hooks'
import { callOne } from './each.ts'

/** Milliseconds; another peer waits for about twice as long, and for the one piece of work that passes it. */
const TURN = 8
/** Milliseconds of a turn that long work has in any case, on top where reads have taken all of it. */
const WORK = 4
/** Milliseconds that each read has in any case: to stop and to go on costs more than a few short messages. */
const SLICE = 1
/** Milliseconds that may be spent before the end of the turn is watched for: an idle server has no work with it. */
const UNWATCHED = 1
/** Bytes that are handed over between two looks at the clock ... */
const CREDIT = 16 * 1024
/** ... where each message counts with so many more. */
const MESSAGE_COST = 1024
/** Bytes that the kernel copies in a millisecond, before the clock of a read starts; also discarded input costs that. */
const COPIED = 4 * 1024 * 1024

export interface Reader {
  /** Goes on. */
  takeTurn(): void
}

/** The clock that reads are timed by, in milliseconds. Specs replace it, so that a busy machine does not change them. */
export const clock = { now: (): number => performance.now() }

const waiting: Reader[] = []
/** Those with long work, which takes memory while it is under way: the first is done before the next begins. */
const working: Reader[] = []
/** Whose turn to work it is. */
let atWork: Reader | undefined
/** An object, because V8 allocates for each value of a variable that is no integer. Not integers from the start. */
const time = {
  /** Milliseconds spent in this turn, as far as it was noticed. */
  spent: 0.5,
  /** When the read at hand began. */
  began: 0.5,
}
time.spent = 0
let watched = false
/** The line is served, or will be. */
let serving = false
let credit = CREDIT

/** A read begins, or what was left of one is gone on with. */
export function beginReading(): void {
  time.began = clock.now()
}

/** It is over: all that it caused has been done. @param bytes that were read for it */
export function endReading(bytes: number): void {
  time.spent += clock.now() - time.began + bytes / COPIED
  if (time.spent <= UNWATCHED || watched) return
  watched = true
  setImmediate(endTurn)
}

/** Whether the time of this turn was spent by reads before this one. */
export function isTurnOver(): boolean {
  return time.spent > TURN
}

/** A message of so many bytes was handed over. @returns whether the rest of the read should wait in line */
export function isTimeUp(bytes: number): boolean {
  credit -= MESSAGE_COST + bytes
  if (credit > 0) return false
  credit = CREDIT
  const lasted = clock.now() - time.began
  return lasted > SLICE && time.spent + lasted > TURN
}

/** Calls `takeTurn` in a later turn of the event loop, behind those that wait already. */
export function waitForTurn(reader: Reader): void {
  waiting.push(reader)
  serveLater()
}

/**
 * The same for long work, of which each turn of the event loop does a part, behind the reads that wait. It has the time
 * that they leave, and 4 ms in any case.
 *
 * @param begun whether it goes on; else it begins when all that has begun before is done
 */
export function waitToWork(reader: Reader, begun: boolean): void {
  if (begun) working.unshift(reader)
  else working.push(reader)
  serveLater()
}

/** Whether there is long work that comes before this reader's. */
export function isWorkBefore(reader: Reader): boolean {
  return atWork !== reader && working.length > 0
}

function serveLater(): void {
  if (serving) return
  serving = true
  setImmediate(serve)
}

function endTurn(): void {
  watched = false
  time.spent = 0
}

function serve(): void {
  time.spent = 0
  let served = 0
  try {
    while (served < waiting.length && time.spent <= TURN) callOne(waiting[served++], takeTurn)
    time.spent = Math.min(time.spent, TURN - WORK)
    atWork = working.shift()
    if (atWork !== undefined) callOne(atWork, takeTurn)
  } finally {
    atWork = undefined
    waiting.splice(0, served)
    time.spent = 0
    serving = waiting.length + working.length > 0
    if (serving) setImmediate(serve)
  }
}

function takeTurn(reader: Reader): void {
  reader.takeTurn()
}
