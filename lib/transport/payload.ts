/** What `send`, `ping` and `publish` take as payload, checked. */
import { types } from 'node:util'
import { describe, MisuseError } from '../protocol/misuse-error.ts'

/** Text as a string; bytes as a Buffer, any view of an ArrayBuffer, or an ArrayBuffer. */
export type Payload = string | NodeJS.ArrayBufferView | ArrayBufferLike

/** Strings stay; bytes come back as a Uint8Array on the same memory. @throws MisuseError `invalid-argument` */
export function checkPayload(payload: Payload, argument = 'data'): string | Uint8Array {
  if (typeof payload === 'string' || (payload instanceof Uint8Array && payload.length > 0)) return payload
  const bytes = bytesOf(payload)
  if (bytes !== undefined) return bytes
  throw new MisuseError(
    'invalid-argument',
    `${argument} must be a string, a Buffer, a view of an ArrayBuffer or an ArrayBuffer, and not ${describePayload(payload)}`
  )
}

/** The same, with strings as their UTF-8. */
export function checkBytes(payload: Payload, argument: string): Uint8Array {
  const checked = checkPayload(payload, argument)
  return typeof checked === 'string' ? Buffer.from(checked, 'utf8') : checked
}

/** Undefined where there are none. Also of another realm, such as a `vm` context or Jest. */
function bytesOf(payload: unknown): Uint8Array | undefined {
  try {
    if (ArrayBuffer.isView(payload)) return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength)
    return types.isAnyArrayBuffer(payload) ? new Uint8Array(payload) : undefined
  } catch {
    // The memory was transferred: an empty message would be sent in its place.
    return undefined
  }
}

function describePayload(value: unknown): string {
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return 'one whose memory is gone'
  if (value === null || value === undefined) return String(value)
  if (typeof value !== 'object') return `a ${typeof value}`
  return `${describe(value)}${INSTEAD.get(value.constructor?.name) ?? ''}`
}

/** What makes a payload of some objects. */
const INSTEAD: ReadonlyMap<string | undefined, string> = new Map([
  ['Object', ': JSON.stringify makes a string of it'],
  ['Array', ': Buffer.from makes bytes of it, JSON.stringify a string'],
  ['Blob', ': await blob.arrayBuffer() gives its bytes'],
])
