/** What operators can see: counts of a server's or client's doings, told on channels of node:diagnostics_channel too. */
import { channel } from 'node:diagnostics_channel'

const limitChannel = channel('kore-ws.limit')
const droppedChannel = channel('kore-ws.message.dropped')

/** The counts of one server, or of all clients of a process. */
export class Diagnostics {
  /** How often each limit was reached, by its name in `limits`. */
  readonly limitsReached = new Map<string, number>()
  /** Messages that were accepted for sending and then skipped, by the policy that skipped them. */
  readonly messagesDropped = new Map<string, number>()

  /** @param connection whose peer reached it; null in a handshake */
  limitReached(limit: string, connection: object | null): void {
    count(this.limitsReached, limit)
    if (limitChannel.hasSubscribers) limitChannel.publish({ limit, connection })
  }

  /** @param policy the slow-receiver policy that skipped the message */
  messageDropped(policy: string, connection: object): void {
    count(this.messagesDropped, policy)
    if (droppedChannel.hasSubscribers) droppedChannel.publish({ policy, connection })
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
