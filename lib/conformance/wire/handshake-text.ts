/** Handshakes as text, for cases that change them: a good request, a good answer, with names to fill in. */

/** `{target}`, `{host}` and `{key}` stand for what is known when it is sent. */
export const REQUEST = [
  'GET {target} HTTP/1.1',
  'Host: {host}',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: {key}',
  'Sec-WebSocket-Version: 13',
] as const

/** `{accept}` is the right answer to the client's key. */
export const ANSWER = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Accept: {accept}',
] as const

/** The lines of a head, with the empty one at its end. */
export function head(lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`
}

export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (all, name: string) => values[name] ?? all)
}
