/** What carries broadcasts to the other processes of a server. */

export interface Bus {
  /** Hands `bytes` to every other process on the bus, not to this one; in order per sender, at most once. */
  publish(channel: string, bytes: Uint8Array): void
  /** Calls `listener` with what others publish on the channel; the function that comes back ends that. */
  subscribe(channel: string, listener: (bytes: Buffer) => void): () => void
  /**
   * Whether more waits than should. While it does, servers on the bus read no further message of their connections, so
   * whoever has this has `drained` as well. What you publish by yourself is taken all the same. Default: false, always.
   */
  readonly congested?: boolean
  /** Resolves once the bus is not congested. */
  drained?(): Promise<void>
  /** Bytes that were published and have not left this process. Default: 0, for `metrics()`. */
  readonly queued?: number
  /** Total of messages of others that were dropped because this process did not take them. Default: 0, for `metrics()`. */
  readonly missed?: number
}
