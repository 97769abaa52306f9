/** What an Outbox calls. */
export interface OutboxOwner {
  /** The transport's `write` has thrown, or there is no memory: nothing more can be sent. */
  broken(error: unknown): void
  /** So many bytes are being written now. */
  onFlush(size: number): void
  /** The peer takes what is queued for it. */
  onProgress(): void
  /** What is queued may have changed. */
  onQueueChanged(): void
  /** The transport takes more than it did: answers that waited may go. */
  onUnblocked(): void
  /** A sender that was asked to wait may go on. */
  onDrain(): void
}
