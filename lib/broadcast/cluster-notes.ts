/** What the workers of a cluster and their primary say to each other about broadcasts. */

/** A worker's broadcasts of one tick. Bytes go as they are where the channel can carry them, else as base64. */
export interface Envelope {
  readonly 'kore-ws': 'broadcast'
  readonly channels: readonly string[]
  readonly bytes: Uint8Array | string
  /** How many broadcasts. */
  readonly count: number
}

/** What the primary tells workers as others come and go: whether there are any. */
export interface Company {
  readonly 'kore-ws': 'company'
  readonly alone: boolean
}

/** What the primary tells workers: to wait until somebody has taken what was sent, and to go on. */
export interface Traffic {
  readonly 'kore-ws': 'traffic'
  readonly wait: boolean
}

/** What the primary tells a worker that has not taken everything: how many broadcasts it has missed since it was told last. */
export interface Missed {
  readonly 'kore-ws': 'missed'
  readonly count: number
}

/** What a worker asks when it begins to listen. */
export interface Question {
  readonly 'kore-ws': 'who is there?'
}

export type Note = Envelope | Company | Traffic | Missed | Question

/** What an Envelope that waits takes of memory besides its bytes, about: requests, callbacks, entries of queues. */
const ENVELOPE_COST = 1024

/** Whether a message between processes is one of these: programs send others. */
export function isNote(message: unknown): message is Note {
  if (typeof message !== 'object' || message === null || !('kore-ws' in message)) return false
  const { 'kore-ws': kind, channels, bytes, count, alone, wait } = message as Record<string, unknown>
  if (kind === 'who is there?') return true
  if (kind === 'company') return typeof alone === 'boolean'
  if (kind === 'traffic') return typeof wait === 'boolean'
  if (kind === 'missed') return typeof count === 'number'
  if (kind !== 'broadcast') return false
  const areNames = Array.isArray(channels) && channels.every(name => typeof name === 'string')
  return areNames && (typeof bytes === 'string' || bytes instanceof Uint8Array) && typeof count === 'number'
}

/** Bytes that an Envelope takes while it waits. */
export function costOf({ channels, bytes }: Envelope): number {
  return channels.reduce((sum, { length }) => sum + length, bytes.length + ENVELOPE_COST)
}
