/** A message sent while it is made: each piece a fragment (RFC 6455, section 5.4), at the pace of the peer. */
import { Readable } from 'node:stream'
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { Opcode } from '../protocol/opcode.ts'
import { Utf8Validator } from '../protocol/utf8.ts'
import { checkPayload, type Payload } from './payload.ts'

/** What a stream is sent through. */
export interface PartSender {
  /** Resolves when the messages before are out, and keeps those behind waiting; rejects where the connection ends. */
  beginParts(): Promise<void>
  /** False where the caller should wait for `partTaken`. Throws where the connection is no longer open. */
  sendPart(opcode: Opcode, data: Uint8Array, last: boolean): boolean
  /** Resolves when the transport takes more; rejects where the connection ends. */
  partTaken(): Promise<void>
  /** As `work` does, but rejects where the connection ends first. */
  whileOpen(work: Promise<void>): Promise<void>
  /** The message can't be completed, nor taken back. */
  giveUp(): void
}

/** Pieces as bytes: characters and surrogate pairs of strings may be cut between them. */
class PieceEncoder {
  /** Of a text's pieces. */
  readonly #utf8: Utf8Validator | undefined
  /** A high surrogate that waits for its other half. */
  #half = ''

  constructor(opcode: Opcode) {
    this.#utf8 = opcode === Opcode.text ? new Utf8Validator() : undefined
  }

  encode(piece: string | Uint8Array): Uint8Array {
    if (typeof piece === 'string') return this.#encodeString(piece)
    if (piece.length === 0) return piece
    const lead = this.#takeHalf()
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length)
    if (this.#utf8?.push(bytes, 0, bytes.length) === false) {
      throw new MisuseError('invalid-argument', 'text given as bytes must be valid UTF-8')
    }
    return lead.length === 0 ? piece : Buffer.concat([lead, piece])
  }

  /** What is left. */
  finish(): Uint8Array {
    this.#checkComplete('at the end')
    return this.#takeHalf()
  }

  #encodeString(piece: string): Buffer {
    if (piece !== '') this.#checkComplete('where a string follows')
    const text = this.#half + piece
    const last = text.charCodeAt(text.length - 1)
    const cut = last >= 0xd800 && last < 0xdc00 ? text.length - 1 : text.length
    this.#half = text.slice(cut)
    return Buffer.from(text.slice(0, cut))
  }

  #takeHalf(): Buffer {
    const bytes = Buffer.from(this.#half)
    this.#half = ''
    return bytes
  }

  #checkComplete(where: string): void {
    if (this.#utf8?.complete === false) {
      throw new MisuseError('invalid-argument', `text given as bytes must end with a whole character ${where}`)
    }
  }
}

/** What can be sent so. */
export type PieceSource = AsyncIterable<Payload> | Iterable<Payload>

/**
 * @param binary undefined: as the first piece is, a string text and bytes binary
 * @throws MisuseError as `Connection.sendStream` says
 */
export async function sendStream(sender: PartSender, source: PieceSource, binary: boolean | undefined): Promise<void> {
  if (!isSource(source)) {
    throw new MisuseError('invalid-argument', `source must be an iterable or async iterable of pieces, and not ${show(source)}`)
  }
  const reader = new SourceReader(source)
  let begun = false
  try {
    await sender.beginParts()
    begun = true
    // A source that waits for something would not notice.
    await sender.whileOpen(sendPieces(sender, reader, binary))
  } catch (error) {
    if (begun) sender.giveUp()
    reader.letGo()
    throw error
  }
}

/** Asks a source for its pieces. In place of a `for await`, which leaves a source that waits for something to itself. */
class SourceReader {
  readonly #source: PieceSource
  #iterator: AsyncIterator<Payload, unknown> | Iterator<Payload, unknown> | undefined
  #over = false

  constructor(source: PieceSource) {
    this.#source = source
    // One that fails before its turn comes would end the process; it fails again when it is asked.
    if (source instanceof Readable) source.on('error', ignore)
  }

  /**
   * Hands the next piece to `take`, and keeps nothing of it. A source may be silent for long: a loop over its pieces would
   * hold the last one meanwhile.
   *
   * @returns false where there is none
   */
  async next(take: (piece: Payload) => void): Promise<boolean> {
    let piece: Payload
    try {
      const source = this.#source
      this.#iterator ??= Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
      const result = await this.#iterator.next()
      if (result.done === true) {
        this.#over = true
        return false
      }
      // An iterable that is not async may give promises.
      piece = await result.value
    } catch (error) {
      this.#over = true
      throw error
    }
    take(piece)
    return true
  }

  /** Nothing more is wanted. That is not waited for: what the source is at may take for ever. */
  letGo(): void {
    if (this.#over) return
    this.#over = true
    const source = this.#source as Partial<Disposable>
    const owner = this.#iterator ?? source
    // A stream's iterator hears of nothing while it waits for the stream.
    if (typeof source.destroy === 'function') letGoBy(() => source.destroy?.())
    else if (typeof owner.return === 'function') letGoBy(() => owner.return?.())
    else if (this.#iterator === undefined && typeof source.cancel === 'function') letGoBy(() => source.cancel?.())
  }
}

/** What may be called of a source: a stream of Node's, an iterator that is its own iterable, a web stream. */
interface Disposable {
  destroy(): unknown
  return(): unknown
  cancel(): unknown
}

function letGoBy(end: () => unknown): void {
  new Promise(resolve => resolve(end())).catch(ignore)
}

function ignore(): void {}

/** A string and bytes are iterable too, but they are pieces. */
function isSource(source: unknown): boolean {
  if (typeof source !== 'object' || source === null || ArrayBuffer.isView(source)) return false
  return Symbol.asyncIterator in source || Symbol.iterator in source
}

async function sendPieces(sender: PartSender, source: SourceReader, binary: boolean | undefined): Promise<void> {
  let opcode: Opcode = binary === false ? Opcode.text : Opcode.binary
  let encoder: PieceEncoder | undefined
  let goOn = true
  const send = (piece: Payload): void => {
    const data = checkPayload(piece, 'a piece')
    if (encoder === undefined) {
      opcode = (binary ?? typeof data !== 'string') ? Opcode.binary : Opcode.text
      encoder = new PieceEncoder(opcode)
    }
    const bytes = encoder.encode(data)
    if (bytes.length === 0) return
    goOn = sender.sendPart(opcode, bytes, false)
    opcode = Opcode.continuation
  }
  while (await source.next(send)) {
    if (goOn) continue
    goOn = true
    await sender.partTaken()
  }
  sender.sendPart(opcode, encoder?.finish() ?? EMPTY, true)
}

const EMPTY = new Uint8Array(0)
