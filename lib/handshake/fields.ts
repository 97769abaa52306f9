/** The header fields that a handshake looks at: each may be missing, repeated, and in any case (RFC 6455, section 4). */

const NAMES = {
  host: 'host',
  origin: 'origin',
  upgrade: 'upgrade',
  connection: 'connection',
  'sec-websocket-key': 'key',
  'sec-websocket-accept': 'accept',
  'sec-websocket-version': 'version',
  'sec-websocket-protocol': 'protocol',
  'sec-websocket-extensions': 'extensions',
  'content-length': 'length',
  'transfer-encoding': 'coding',
  expect: 'expect',
} as const

/** The values of each field, line by line, without the white space around them. */
export type HandshakeFields = Record<(typeof NAMES)[keyof typeof NAMES], string[]>

const FIELD_OF: ReadonlyMap<string, keyof HandshakeFields> = new Map(Object.entries(NAMES))

/** Picks the fields out of a list of names and values in turn, as `IncomingMessage.rawHeaders` has them. */
export function pickFields(rawHeaders: readonly string[]): HandshakeFields {
  const fields: HandshakeFields = {
    host: [],
    origin: [],
    upgrade: [],
    connection: [],
    key: [],
    accept: [],
    version: [],
    protocol: [],
    extensions: [],
    length: [],
    coding: [],
    expect: [],
  }
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const field = FIELD_OF.get(String(rawHeaders[at]).toLowerCase())
    if (field !== undefined) fields[field].push(trimSpace(String(rawHeaders[at + 1])))
  }
  return fields
}

/** The values of one field, as those of `pickFields`. */
export function pickField(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const known = String(rawHeaders[at])
    if (known.length === name.length && known.toLowerCase() === name) values.push(trimSpace(String(rawHeaders[at + 1])))
  }
  return values
}

/** Without the spaces and tabs around it: RFC 9110, section 5.6.3, knows no other white space. */
export function trimSpace(value: string): string {
  let start = 0
  let end = value.length
  while (start < end && isSpace(value.charCodeAt(start))) start++
  while (end > start && isSpace(value.charCodeAt(end - 1))) end--
  return value.slice(start, end)
}

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x09
}
