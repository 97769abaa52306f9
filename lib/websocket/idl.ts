/** What Web IDL does with arguments before the class `WebSocket` sees them (WebSockets Standard, section 3.1). */
import { toUSVString, types } from 'node:util'

/** A USVString: whatever it is becomes a string, without lone surrogates. */
export function toText(value: unknown): string {
  return toUSVString(`${value as string}`)
}

/** A [Clamp] unsigned short: to the nearest whole number, the even one of two, from 0 to 65535. */
export function toClampedShort(value: unknown): number {
  // Unlike Number() the plus refuses a bigint, as ToNumber does.
  const number = Math.min(Math.max(+(value as number), 0), 65_535)
  if (Number.isNaN(number)) return 0
  const below = Math.floor(number)
  const half = number - below
  return half < 0.5 || (half === 0.5 && below % 2 === 0) ? below : below + 1
}

/** Text, the bytes of an ArrayBuffer or a view, not copied, or a Blob. */
export type Sendable = string | Uint8Array | Blob

/** (BufferSource or Blob or USVString) */
export function toSendable(value: unknown): Sendable {
  if (value instanceof Blob) return value
  if (ArrayBuffer.isView(value)) return bytesOf(value.buffer, value.byteOffset, value.byteLength)
  if (types.isArrayBuffer(value)) return bytesOf(value, 0, value.byteLength)
  return toText(value)
}

/** @throws TypeError for memory that is shared or may change its size: neither is allowed for a BufferSource */
function bytesOf(buffer: ArrayBufferLike, start: number, length: number): Uint8Array {
  if (types.isSharedArrayBuffer(buffer)) throw new TypeError('data must not be a view of a SharedArrayBuffer')
  if (Reflect.get(buffer, 'resizable') === true) throw new TypeError('data must not be resizable')
  // A detached buffer has no bytes, and none can be made a view of.
  return length === 0 ? new Uint8Array() : new Uint8Array(buffer, start, length)
}

/** (DOMString or sequence<DOMString>), or anything else that is an object: options, of the kind that Node knows. */
export function toProtocols(value: unknown): string[] | object {
  if (value === undefined) return []
  if (typeof value !== 'object' || value === null) return [`${value as string}`]
  if (!(Symbol.iterator in value)) return value
  return Array.from(value as Iterable<unknown>, item => `${item as string}`)
}

/** The options, without a `dispatcher` that is none, and with headers as `connect` takes them. */
export function toOptions(init: object): object {
  const { dispatcher, headers, ...rest } = init as { readonly dispatcher?: unknown; readonly headers?: unknown }
  return {
    ...rest,
    ...(dispatcher !== undefined && { dispatcher }),
    ...(headers !== undefined && { headers: isIterable(headers) ? toHeaders(headers) : headers }),
  }
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value
}

/**
 * (sequence<sequence<ByteString>>), which a Headers object is as well: values of one name become a line each.
 *
 * @throws TypeError for what is no pair
 */
function toHeaders(pairs: Iterable<unknown>): Record<string, string[]> {
  const lines = new Map<string, [name: string, values: string[]]>()
  for (const pair of pairs) {
    const parts = isIterable(pair) ? Array.from(pair, part => `${part as string}`) : []
    if (parts.length !== 2) throw new TypeError('headers must be pairs of a name and a value')
    const [name, value] = parts
    const known = lines.get(name.toLowerCase())
    if (known === undefined) lines.set(name.toLowerCase(), [name, [value]])
    else known[1].push(value)
  }
  return Object.fromEntries(lines.values())
}
