/** Request and response heads as HTTP/1.1 has them, read from a socket by the tester itself (RFC 6455, section 4). */
import { createHash, randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'

const END = '\r\n\r\n'
const MAX_HEAD = 65_536
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const KEY_BYTES = 16

export interface Head {
  /** The request or status line. */
  readonly line: string
  /** By name in lower case; several of one name are joined with commas. */
  readonly headers: ReadonlyMap<string, string>
  /** All of it, as it came. */
  readonly text: string
  /** What came behind it. */
  readonly rest: Buffer
}

/** Why a handshake failed, as a sentence for the report; and whether time ran out. */
export class HandshakeFailure extends Error {
  override readonly name = 'HandshakeFailure'
  readonly late: boolean
  /** As much of the peer's head as came. */
  readonly head: string

  constructor(sentence: string, late: boolean, head = '') {
    super(sentence)
    this.late = late
    this.head = head
  }
}

/**
 * Reads a head. What comes behind it stays for the next reader.
 *
 * @throws HandshakeFailure where the connection ends before, time runs out or the head is too large
 */
export function readHead(socket: Duplex, milliseconds: number): Promise<Head> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    const timer = setTimeout(
      () => fail(`The handshake took longer than ${milliseconds / 1000} seconds.`, true),
      milliseconds
    )
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk])
      const end = bytes.indexOf(END)
      if (end < 0 && bytes.length > MAX_HEAD) fail(`There is no end of the headers within ${MAX_HEAD} bytes.`)
      if (end < 0) return
      finish()
      socket.pause()
      resolve(parseHead(bytes.toString('latin1', 0, end), bytes.subarray(end + END.length)))
    }
    const onError = (error: Error): void => fail(`The connection failed: ${error.message}.`)
    const onEnd = (): void => fail('The connection ended before the handshake was done.')
    const finish = (): void => {
      clearTimeout(timer)
      socket.off('data', onData).off('error', onError).off('end', onEnd).off('close', onEnd)
    }
    const fail = (sentence: string, late = false): void => {
      finish()
      reject(new HandshakeFailure(sentence, late, bytes.toString('latin1')))
    }
    socket.on('data', onData).on('error', onError).on('end', onEnd).on('close', onEnd)
  })
}

function parseHead(text: string, rest: Buffer): Head {
  const [line = '', ...fields] = text.split('\r\n')
  const headers = new Map<string, string>()
  for (const field of fields) {
    const colon = field.indexOf(':')
    const name = field.slice(0, colon).toLowerCase()
    const value = field.slice(colon + 1).trim()
    const known = headers.get(name)
    headers.set(name, known === undefined ? value : `${known}, ${value}`)
  }
  return { line, headers, text, rest }
}

export function makeKey(): string {
  return randomBytes(KEY_BYTES).toString('base64')
}

/** The answer to a key (RFC 6455, section 4.2.2). */
export function answerKey(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64')
}

/** Whether a header's list has a token, in any case of letters. */
export function hasToken(value: string | undefined, token: string): boolean {
  return (value ?? '').split(',').some(item => item.trim().toLowerCase() === token)
}
