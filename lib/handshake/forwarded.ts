/** Whom a proxy says that it speaks for: Forwarded (RFC 7239) and headers of bare addresses, such as X-Forwarded-For. */
import { trimSpace } from './fields.ts'
import { parseList, Scanner } from './grammar.ts'

/**
 * The client's address, from the lines of a header to which each proxy adds the address of its own peer at the end: the
 * last one that is not a proxy's. Only what trusted proxies have added is looked at, so what a client writes itself can
 * change nothing. Where an element is malformed, hides who it was (`unknown`, `_name`) or is missing, it is the address
 * of the proxy that added it.
 *
 * @param rawHeaders names and values in turn, as `IncomingMessage.rawHeaders` has them
 * @param header the header's name in lower case; `forwarded` has the grammar of RFC 7239, others are lists of addresses
 * @param peer the address of the proxy that is connected here
 * @param isProxy whether an address is a trusted proxy's; undefined for what is no address
 */
export function forwardedAddress(
  rawHeaders: readonly string[],
  header: string,
  peer: string,
  isProxy: (address: string) => boolean | undefined
): string {
  let address = peer
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2) {
    if (String(rawHeaders[at]).toLowerCase() !== header) continue
    const line = String(rawHeaders[at + 1])
    const nodes = header === 'forwarded' ? forNodes(line) : listedNodes(line)
    for (const node of nodes.reverse()) {
      const trusted = node === undefined ? undefined : isProxy(node)
      if (node === undefined || trusted === undefined) return address
      address = node
      if (!trusted) return address
    }
  }
  return address
}

/** The elements of a list of addresses, without their ports; undefined for one that has the form of none. */
function listedNodes(line: string): (string | undefined)[] {
  const elements = line.split(',').map(trimSpace)
  return elements.filter(element => element !== '').map(element => withoutPort(element, true))
}

/** The `for` of each element of a Forwarded line (RFC 7239, section 4), as above; of a malformed line, undefined. */
function forNodes(line: string): (string | undefined)[] {
  const elements = parseList([line], parseElement)
  return elements?.map(node => withoutPort(node, false)) ?? [undefined]
}

/** What an element's `for` says; empty where it has none, undefined for a malformed element. */
function parseElement(scanner: Scanner): string | undefined {
  const values = new Map<string, string>()
  do {
    scanner.skipSpace()
    const name = scanner.token().toLowerCase()
    if (name === '' || values.has(name) || !scanner.take('=')) return undefined
    const value = scanner.take('"') ? scanner.quoted() : scanner.token()
    if (value === undefined) return undefined
    values.set(name, value)
    scanner.skipSpace()
  } while (scanner.take(';'))
  return values.get('for') ?? ''
}

/**
 * A node (RFC 7239, section 6) without its port, which may be hidden (`_name`): an IPv6 address in brackets, or another
 * name. Undefined for what is malformed.
 *
 * @param bare whether an IPv6 address may do without brackets
 */
function withoutPort(node: string, bare: boolean): string | undefined {
  if (node.startsWith('[')) {
    const end = node.indexOf(']')
    const address = node.slice(1, end)
    const isWhole = end === node.length - 1
    return address.includes(':') && (isWhole || (node[end + 1] === ':' && isPort(node.slice(end + 2)))) ? address : undefined
  }
  const colon = node.indexOf(':')
  if (colon < 0) return node
  if (node.includes(':', colon + 1)) return bare ? node : undefined
  return isPort(node.slice(colon + 1)) ? node.slice(0, colon) : undefined
}

function isPort(text: string): boolean {
  return /^(\d{1,5}|_[\w.-]+)$/.test(text)
}
