/** What only an Outbox has that others wait for, or that has had to wait itself: an idle one has none of it. */
import type { Backlog } from './backlog.ts'
import { Portion } from './portion.ts'

interface Waiter {
  resolve(): void
  reject(error: Error): void
}

export class Delays {
  readonly waiters: Waiter[] = []
  /** Who sends a message in parts, and waits. */
  partWaiter: Waiter | undefined
  /** Made when a message that may be skipped finds the transport blocked; what is sent meanwhile waits in it as well. */
  backlog: Backlog | undefined
  readonly portion = new Portion()
  /** Bytes that have gone, of messages whose last part has not: they are in the same memory. */
  tail = 0
  /** Writes that the transport has in its queue. */
  writes = 0
  /** Messages that wait to be compressed, or for another to be complete. */
  messages = 0
  /** Called each time that the transport has taken a part of what was written to it. */
  onTaken: (() => void) | undefined
  /** For writes that wait: one function for all. */
  readonly onWritten = (): void => {
    this.writes--
    this.onTaken?.()
  }
}
