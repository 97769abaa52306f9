/** What an Outbox calls. */
export interface OutboxOwner {
  /** So many bytes are being written now. */
  onFlush(size: number): void
  /** What is queued may have changed. */
  onQueueChanged(): void
  /** The transport takes more than it did: answers that waited may go. */
  onUnblocked(): void
  /** A sender that was asked to wait may go on. */
  onDrain(): void
}
