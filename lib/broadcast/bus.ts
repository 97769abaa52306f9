/** What carries broadcasts to the other processes of a server. */

export interface Bus {
  /** Hands `bytes` to every other process on the bus, not to this one; in order per sender, at most once. */
  publish(channel: string, bytes: Uint8Array): void
  /** Calls `listener` with what others publish on the channel; the function that comes back ends that. */
  subscribe(channel: string, listener: (bytes: Buffer) => void): () => void
}
