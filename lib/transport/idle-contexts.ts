/** Compression's memory of connections that have gone quiet is given up (RFC 7692, section 7.1.1): one sweep for all. */
import { coarseNow, Deadline } from './deadlines.ts'
import { callEach } from './each.ts'

/** How long a connection keeps its contexts without traffic, in milliseconds. */
export const KEPT_FOR = 30_000
/** How often it is looked for those, in milliseconds: contexts are kept for up to so much longer. */
export const SWEPT_EVERY = 5_000

/** A connection that has contexts. */
export interface ContextOwner {
  /** When bytes came or went last, on the coarse clock of the deadlines. */
  readonly activeAt: number
  releaseContexts(): void
}

const owners = new Set<ContextOwner>()
const deadline = new Deadline({ onDeadline: sweep })
/** Who was last active until then has been told already. */
let sweptUntil = -Infinity

/** Has `releaseContexts` called whenever the owner has been without traffic for so long, until it is forgotten. */
export function watchContexts(owner: ContextOwner): void {
  owners.add(owner)
  if (owners.size === 1) deadline.set(SWEPT_EVERY)
}

/** Without effect on one that is not watched. */
export function forgetContexts(owner: ContextOwner): void {
  if (owners.delete(owner) && owners.size === 0) deadline.clear()
}

function sweep(): void {
  deadline.setFromTurn(SWEPT_EVERY)
  const until = coarseNow() - KEPT_FOR
  callEach(owners, owner => {
    if (owner.activeAt <= until && owner.activeAt > sweptUntil) owner.releaseContexts()
  })
  sweptUntil = until
}
