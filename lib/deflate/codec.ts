/** What two ends have agreed on, as something to compress and decompress with (RFC 7692, section 7.2). */
import * as nodeZlib from 'node:zlib'
import { usesInternals } from '../node-internals/switch.ts'
import type { Compressor, Decompressor } from '../protocol/message-codec.ts'
import type { Role } from '../protocol/frame-parser.ts'
import { DedicatedCompressor, DedicatedDecompressor } from './dedicated-codec.ts'
import type { Engine } from './engine.ts'
import { createFastEngine } from './fast-engine.ts'
import { UNUSABLE_WINDOW_BITS, type Agreement } from './negotiation.ts'
import { portableEngine } from './portable-engine.ts'
import type { DeflateSettings } from './settings.ts'
import { SharedCompressor, SharedDecompressor } from './shared-codec.ts'
import type { Zlib } from '../node-internals/zlib-sync.ts'

/** Makes codecs, and keeps those that are shared. */
export class Codecs {
  readonly #engine: Engine
  readonly #compressors = new Map<string, SharedCompressor>()
  readonly #decompressor: SharedDecompressor

  constructor(engine: Engine) {
    this.#engine = engine
    this.#decompressor = new SharedDecompressor(engine)
  }

  /**
   * What `role` compresses its messages with. Undefined where it can't: for a client that a server limits to a window
   * of 8 bits, which zlib does not have. Its messages go uncompressed, as any message may.
   */
  createCompressor(role: Role, agreement: Agreement, settings: DeflateSettings): Compressor | undefined {
    const { takeover, windowBits } = termsOf(role, agreement)
    if (windowBits === UNUSABLE_WINDOW_BITS) return undefined
    const { level, memLevel } = settings
    if (takeover) return new DedicatedCompressor({ level, windowBits, memLevel }, this.#engine)
    const key = `${level} ${windowBits} ${memLevel}`
    const known = this.#compressors.get(key)
    if (known !== undefined) return known
    const compressor = new SharedCompressor({ level, windowBits, memLevel }, this.#engine)
    this.#compressors.set(key, compressor)
    return compressor
  }

  /** What `role` decompresses its peer's messages with. */
  createDecompressor(role: Role, agreement: Agreement): Decompressor {
    const { takeover, windowBits } = termsOf(role === 'server' ? 'client' : 'server', agreement)
    return takeover ? new DedicatedDecompressor(windowBits, this.#engine) : this.#decompressor
  }
}

/** What holds for the messages that `sender` sends. */
function termsOf(sender: Role, agreement: Agreement): { readonly takeover: boolean; readonly windowBits: number } {
  return sender === 'server'
    ? { takeover: !agreement.serverNoContextTakeover, windowBits: agreement.serverMaxWindowBits }
    : { takeover: !agreement.clientNoContextTakeover, windowBits: agreement.clientMaxWindowBits }
}

/** @param internals whether what Node does not document may be used */
export function chooseEngine(internals: boolean, zlib: Zlib = nodeZlib): Engine {
  return (internals ? createFastEngine(zlib) : undefined) ?? portableEngine
}

let codecs: Codecs | undefined

/** The codecs of this thread: made, and proved to work, when somebody first asks for them. */
export function threadCodecs(): Codecs {
  codecs ??= new Codecs(chooseEngine(usesInternals))
  return codecs
}
