/** The error of calls that a connection can no longer serve, and how connections end. */
import { CloseCode } from '../protocol/close-code.ts'

/** How a connection ended. */
export interface CloseInfo {
  /** The code of the peer's close frame (1005 without one), ours where we failed the connection, or 1006. */
  readonly code: number
  /** The reason of that close frame; of 1006 what is known, such as `ECONNRESET`, `slow-consumer` or `terminated`. */
  readonly reason: string
  /** Whether the closing handshake was complete, and neither side failed the connection (RFC 6455, section 7.1.4). */
  readonly clean: boolean
}

/** What calls and loops reject with once the connection is closing or over. */
export class ConnectionClosedError extends Error {
  override readonly name = 'ConnectionClosedError'
  readonly code = 'connection-closed'
  /** How the connection ended; undefined while the closing handshake is under way. */
  readonly closeCode: number | undefined
  readonly reason: string

  constructor(info?: Pick<CloseInfo, 'code' | 'reason'>) {
    super(info === undefined ? 'the connection is closing' : `the connection is closed: ${info.code} ${info.reason}`.trimEnd())
    this.closeCode = info?.code
    this.reason = info?.reason ?? ''
  }
}

/** Whether a loop over messages ends without an error: 1000, 1001, 1005 and 3000 to 4999, after a complete handshake. */
export function isRegularEnd({ code, clean }: CloseInfo): boolean {
  const usual = code === CloseCode.normal || code === CloseCode.goingAway || code === CloseCode.noStatus
  return clean && (usual || code >= 3000)
}
