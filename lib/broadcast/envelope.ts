/** A broadcast as it goes over a bus: its bytes, and their check. What comes over a bus is believed only as far as that. */
import { MAX_CONTROL_PAYLOAD, Opcode } from '../protocol/opcode.ts'
import { isValidUtf8 } from '../protocol/utf8.ts'

/**
 * `KW`, version, opcode, `compress`, one byte that is 0, length of the topic or EVERYBODY in two bytes, length of the
 * payload in four; then topic and payload. Numbers are big-endian.
 */
const HEADER = 12
const MAGIC = 0x4b57
/** Programs of one version may run beside those of the next: another one is not understood, and dropped. */
const VERSION = 1
/** In place of a topic's length: the message is for everybody. */
const EVERYBODY = 0xffff
/** What `compress` can be, by the byte that says so. */
const COMPRESS = [undefined, true, false] as const
const OPCODES: ReadonlySet<number> = new Set([Opcode.text, Opcode.binary, Opcode.ping, Opcode.pong])

export interface Envelope {
  readonly opcode: Opcode
  readonly compress: boolean | undefined
  /** Undefined: for everybody. */
  readonly topic: string | undefined
  /** Text is valid UTF-8. */
  readonly payload: Uint8Array
}

/** Why bytes are no envelope of this version. */
export type EnvelopeFault = 'malformed' | 'foreign-version'

export function sealEnvelope({ opcode, compress, topic, payload }: Envelope): Buffer {
  const name = topic === undefined ? EMPTY : Buffer.from(topic, 'utf8')
  const bytes = Buffer.allocUnsafe(HEADER + name.length + payload.length)
  bytes.writeUInt16BE(MAGIC, 0)
  bytes[2] = VERSION
  bytes[3] = opcode
  bytes[4] = COMPRESS.indexOf(compress)
  bytes[5] = 0
  bytes.writeUInt16BE(topic === undefined ? EVERYBODY : name.length, 6)
  bytes.writeUInt32BE(payload.length, 8)
  bytes.set(name, HEADER)
  bytes.set(payload, HEADER + name.length)
  return bytes
}

/** What is in the envelope, its payload a view of `bytes`; or what is wrong with it. */
export function openEnvelope(bytes: Buffer): Envelope | EnvelopeFault {
  if (bytes.length < 3 || bytes.readUInt16BE(0) !== MAGIC) return 'malformed'
  if (bytes[2] !== VERSION) return 'foreign-version'
  if (bytes.length < HEADER) return 'malformed'
  const opcode = bytes[3] as Opcode
  const nameLength = bytes.readUInt16BE(6)
  const start = HEADER + (nameLength === EVERYBODY ? 0 : nameLength)
  if (!OPCODES.has(opcode) || bytes[4] >= COMPRESS.length || start + bytes.readUInt32BE(8) !== bytes.length) return 'malformed'
  if (nameLength !== EVERYBODY && !isValidUtf8(bytes, HEADER, start)) return 'malformed'
  if (opcode === Opcode.text && !isValidUtf8(bytes, start, bytes.length)) return 'malformed'
  const control = opcode === Opcode.ping || opcode === Opcode.pong
  if (control && bytes.length - start > MAX_CONTROL_PAYLOAD) return 'malformed'
  const topic = nameLength === EVERYBODY ? undefined : bytes.toString('utf8', HEADER, start)
  return { opcode, compress: COMPRESS[bytes[4]], topic, payload: bytes.subarray(start) }
}

const EMPTY = Buffer.alloc(0)
