/** What every kind of case has while it runs: it starts, it hears, and in the end it has an outcome. */
import type { CaseEvent, DataOpcode } from './case.ts'
import type { PeerListener } from './peer.ts'

/** How a case behaved, in Autobahn's words. */
export type Behavior = 'OK' | 'NON-STRICT' | 'INFORMATIONAL' | 'UNIMPLEMENTED' | 'FAILED'

export interface Outcome {
  readonly behavior: Behavior
  /** Why, in a sentence. */
  readonly result: string
  /** What the peer did, as far as it was recorded. */
  readonly received: readonly RecordedEvent[]
}

export type RecordedEvent =
  | { readonly is: 'message'; readonly opcode: DataOpcode; readonly payload: Buffer }
  | { readonly is: 'pong'; readonly payload: Buffer }
  | Extract<CaseEvent, { is: 'timeout' }>

export interface Conduct extends PeerListener {
  /** The handshake is done. */
  start(): void
  outcome(): Outcome
  /** A time limit of the case passed: on a busy machine, that may not be the peer's fault. */
  readonly late: boolean
}
