/** Sec-WebSocket-Key and the Sec-WebSocket-Accept that answers it (RFC 6455, sections 4.1 and 4.2.2). */
import { hash } from 'node:crypto'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** 16 bytes make 22 digits of base64 and two equals signs. */
const KEY_DIGITS = 22

/** Whether `key` is 16 bytes in base64. */
export function isKey(key: string): boolean {
  if (key.length !== KEY_DIGITS + 2 || !key.endsWith('==')) return false
  for (let at = 0; at < KEY_DIGITS; at++) {
    if (!isBase64Digit(key.charCodeAt(at))) return false
  }
  return true
}

/** The accept value for a key. */
export function acceptKey(key: string): string {
  return hash('sha1', key + GUID, 'base64')
}

function isBase64Digit(unit: number): boolean {
  return (
    (unit >= 0x41 && unit <= 0x5a) || // A to Z
    (unit >= 0x61 && unit <= 0x7a) || // a to z
    (unit >= 0x2f && unit <= 0x39) || // slash, 0 to 9
    unit === 0x2b // plus
  )
}
