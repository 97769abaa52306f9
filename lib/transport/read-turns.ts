/**
 * Reading has so much time in a turn of the event loop, all connections together: then they take turns.
 *
 * libuv calls back for every socket that has input before it goes on, so the work that many peers cause in one turn adds
 * up. The rest of it then waits in line, and the line has as much time in each turn.
 */

/** Milliseconds; another peer waits for about twice as long, and for the one piece of work that passes it. */
const TURN = 8
/** Milliseconds that each read has in any case: to stop and to go on costs more than a few short messages. */
const SLICE = 1
/** Milliseconds that may be spent before the end of the turn is watched for: an idle server has no work with it. */
const UNWATCHED = 1
/** Bytes that are handed over between two looks at the clock ... */
const CREDIT = 16 * 1024
/** ... where each message counts with so many more. */
const MESSAGE_COST = 1024

export interface Reader {
  /** Goes on. */
  takeTurn(): void
}

const waiting: Reader[] = []
/** Milliseconds spent in this turn, as far as it was noticed. */
let spent = 0
let watched = false
let began = 0
let credit = CREDIT

/** A read begins, or what was left of one is gone on with. */
export function beginReading(): void {
  began = performance.now()
}

/** It is over: all that it caused has been done. */
export function endReading(): void {
  spent += performance.now() - began
  if (spent <= UNWATCHED || watched) return
  watched = true
  setImmediate(endTurn)
}

/** Whether the time of this turn was spent by reads before this one. */
export function isTurnOver(): boolean {
  return spent > TURN
}

/** A message of so many bytes was handed over. @returns whether the rest of the read should wait in line */
export function isTimeUp(bytes: number): boolean {
  credit -= MESSAGE_COST + bytes
  if (credit > 0) return false
  credit = CREDIT
  const time = performance.now() - began
  return time > SLICE && spent + time > TURN
}

/** Calls `takeTurn` in a later turn of the event loop, behind those that wait already. */
export function waitForTurn(reader: Reader): void {
  if (waiting.push(reader) === 1) setImmediate(serve)
}

function endTurn(): void {
  watched = false
  spent = 0
}

function serve(): void {
  spent = 0
  let served = 0
  try {
    while (served < waiting.length && spent <= TURN) waiting[served++].takeTurn()
  } finally {
    waiting.splice(0, served)
    spent = 0
    if (waiting.length > 0) setImmediate(serve)
  }
}
