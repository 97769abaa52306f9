/** What becomes of messages for a peer that takes them too slowly: the policies, and how a message is sent under one. */
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { checkNames, type KnownNames } from '../protocol/option-names.ts'
import { HIGH_WATER, type Outbox } from './outbox.ts'

/** What happens where a message would take the queue over `limits.queuedBytes`. */
export interface SlowReceiverOptions {
  /**
   * Of a message that `send` sends. Default 'close'.
   *
   * - 'close': the connection is dropped (1006, `slow-consumer`)
   * - 'drop-newest': this message is not sent, and `send` returns false
   * - 'drop-oldest': messages that still wait here are skipped, oldest first, until this one fits; where it can't, it is
   *   skipped itself. Never skipped: part of a message, pings, pongs, close frames, streamed messages, those compressed
   *   with context takeover (later ones refer back to them), and what the system or the stream has already got
   * - 'wait': nothing is skipped, `send` returns false, and nothing is read from this peer until the queue is within its
   *   limit again; over twice the limit the connection is dropped as with 'close'
   */
  readonly send?: SendPolicy | undefined
  /** The same, of a message that `publish` or `broadcast` sends, for each receiver by itself. Default 'close'. */
  readonly broadcast?: BroadcastPolicy | undefined
}

export type BroadcastPolicy = 'close' | 'drop-oldest' | 'drop-newest'
export type SendPolicy = BroadcastPolicy | 'wait'

/** A policy that is not 'close'. */
export type Leniency = Exclude<SendPolicy, 'close'>

/** The policies in force; undefined stands for 'close'. */
export interface SlowReceivers {
  readonly send: Leniency | undefined
  readonly broadcast: Exclude<Leniency, 'wait'> | undefined
}

const POLICIES = {
  send: ['close', 'drop-oldest', 'drop-newest', 'wait'],
  broadcast: ['close', 'drop-oldest', 'drop-newest'],
} as const
const KNOWN: KnownNames = { prefix: 'slowReceivers.', names: Object.keys(POLICIES) }

/**
 * @returns undefined where both are 'close'
 * @throws MisuseError `invalid-option`, naming the option and what it may be
 */
export function resolveSlowReceivers(options: SlowReceiverOptions = {}): SlowReceivers | undefined {
  if (typeof options !== 'object' || options === null) {
    throw new MisuseError('invalid-option', `slowReceivers must be an object of send and broadcast, and not ${show(options)}`)
  }
  checkNames('slowReceivers', options, KNOWN)
  const send = checkPolicy('send', options.send)
  const broadcast = checkPolicy('broadcast', options.broadcast)
  return send === undefined && broadcast === undefined ? undefined : { send, broadcast }
}

function checkPolicy<Name extends keyof SlowReceivers>(name: Name, value: unknown): SlowReceivers[Name] {
  if (value === undefined || value === 'close') return undefined
  const allowed: readonly unknown[] = POLICIES[name]
  if (allowed.includes(value)) return value as SlowReceivers[Name]
  throw new MisuseError('invalid-option', `slowReceivers.${name} must be one of ${allowed.join(', ')}, and not ${show(value)}`)
}

/** A connection, as a policy sees it. */
export interface SlowReceiver {
  /** A message was skipped. */
  messageDropped(policy: Leniency): void
  /** Even what the policy grants is passed: the connection is dropped. */
  dropSlow(): void
  /** Reads nothing more of the peer, */
  holdSlow(): void
  /** and reads on. */
  releaseSlow(): void
}

/** A message to be sent under a policy. */
export interface Sending {
  readonly policy: Leniency
  /** `limits.queuedBytes`. */
  readonly limit: number
  /** Bytes of its frame, not compressed. */
  readonly size: number
  /** Whether it may be skipped later. */
  readonly droppable: boolean
  /** Adds it to the outbox. */
  write(): void
}

/** Sends a message; returns what `send` does, and undefined where the message was not sent. */
export function sendUnderPolicy(receiver: SlowReceiver, outbox: Outbox, sending: Sending): boolean | undefined {
  const { policy, limit, size, droppable } = sending
  if (limit < HIGH_WATER && policy !== 'wait') outbox.watchTaken()
  if (!outbox.fits(size, limit)) {
    outbox.flush()
    if (!outbox.fits(size, limit) && !admits(receiver, outbox, sending)) return undefined
  }
  if (policy !== 'drop-oldest') {
    sending.write()
    return policy === 'wait' ? settleWaiting(receiver, outbox, limit) : outbox.settle()
  }
  // What is in the batch already is no part of this message. One that has to wait for another adds nothing to it.
  outbox.setAside(false)
  sending.write()
  outbox.setAside(droppable)
  return outbox.settle()
}

/** Whether the message may be sent though it does not fit: makes room where the policy is to do so. */
function admits(receiver: SlowReceiver, outbox: Outbox, { policy, limit, size }: Sending): boolean {
  const empty = outbox.queued === 0
  if (policy === 'wait') {
    if (!empty && !outbox.fits(size, 2 * limit)) {
      receiver.dropSlow()
      return false
    }
    outbox.whenTaken(() => goOnReading(receiver, outbox, limit))
    return true
  }
  if (empty) return true
  if (policy === 'drop-oldest') {
    const skipped = outbox.makeRoom(size, limit)
    for (let i = 0; i < skipped; i++) receiver.messageDropped(policy)
    if (outbox.fits(size, limit)) return true
  }
  receiver.messageDropped(policy)
  return false
}

function settleWaiting(receiver: SlowReceiver, outbox: Outbox, limit: number): boolean {
  const goOn = outbox.settle()
  if (outbox.fits(0, limit)) return goOn
  outbox.flush()
  if (outbox.fits(0, limit)) return goOn
  receiver.holdSlow()
  outbox.askToWait()
  return false
}

function goOnReading(receiver: SlowReceiver, outbox: Outbox, limit: number): void {
  if (!outbox.fits(0, limit)) return
  outbox.whenTaken(undefined)
  receiver.releaseSlow()
  // Whoever was told to wait may go on too.
  outbox.queueFlush()
}

/** Bytes of a frame (RFC 6455, section 5.2). */
export function frameSize(payload: string | Uint8Array, masked: boolean): number {
  const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length
  return length + (length < 126 ? 2 : length < 65536 ? 4 : 10) + (masked ? 4 : 0)
}
