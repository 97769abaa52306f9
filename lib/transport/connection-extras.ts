/** What a connection has only in some states, or with some settings, and so made only for those: an idle one has none. */
import type { CloseInfo } from './connection-closed-error.ts'
import type { KeptAccount } from './kept-account.ts'
import type { LargeText } from './large-text.ts'
import type { MessageStreams } from './message-streams.ts'
import type { OutstandingPings } from './outstanding-pings.ts'

export class ConnectionExtras {
  /** Milliseconds, where it differs from the limit's. */
  idleTime: number | undefined
  closingTime: number | undefined
  /** On the coarse clock; of one whose lifetime is limited. */
  startedAt = 0
  /** Whether we have failed it (RFC 6455, section 7.1.7). */
  failed = false
  closeInfo: CloseInfo | undefined
  /** Whether its end has been told: no callback is called any more. */
  told = false
  /** Made where somebody waits for the end. */
  closed: Promise<CloseInfo> | undefined
  resolveClosed: ((info: CloseInfo) => void) | undefined
  /** Who reads the message whose pieces come: it stays theirs, though they may have left. Undefined between messages. */
  reader: MessageStreams | 'nobody' | undefined
  /** A large text that is decoded in several turns of the event loop. */
  decoding: LargeText | undefined
  /** Those who send streams, or wait for their turn to: told where nothing can be sent any more. */
  endListeners: Set<(error: Error) => void> | undefined
  /** Those of `ping`. */
  pings: OutstandingPings | undefined
  /** Bytes of memory that its topics count with. */
  topicBytes = 0
  /** What waits for a loop. */
  waiting: KeptAccount | undefined
}
