/** Close codes (RFC 6455, section 7.4, and the IANA registry that it opens). */

export const CloseCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  /** Never on the wire: the close frame had no code. */
  noStatus: 1005,
  /** Never on the wire: the connection ended without a closing handshake. */
  abnormal: 1006,
  invalidPayload: 1007,
  policyViolation: 1008,
  messageTooBig: 1009,
  mandatoryExtension: 1010,
  internalError: 1011,
  serviceRestart: 1012,
  tryAgainLater: 1013,
  badGateway: 1014,
} as const

/** The codes that may travel, as a sentence has them. */
export const WIRE_CLOSE_CODES = '1000 to 1003, 1007 to 1014 or 3000 to 4999'

/**
 * Whether a close frame may carry `code`: the codes of section 7.4.1 that are not reserved, the later ones of the IANA
 * registry (1012 to 1014), and 3000 to 4999 (section 7.4.2: libraries, frameworks and private use).
 */
export function isWireCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false
  if (code >= 3000) return code <= 4999
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014)
}
