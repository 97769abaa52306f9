/** The header grammar of handshakes (RFC 6455, section 9.1; RFC 9110, section 5.6): written by hand, linear in time. */

/** One element of Sec-WebSocket-Extensions: a name and its parameters in order; `true` for a parameter with no value. */
export interface ExtensionElement {
  readonly name: string
  readonly parameters: readonly (readonly [name: string, value: string | true])[]
}

const TOKEN_CHARACTERS = new Set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

/** Whether `text` is a token: one or more of the characters that a header may use without quotes. */
export function isToken(text: string): boolean {
  if (text === '') return false
  for (const character of text) {
    if (!TOKEN_CHARACTERS.has(character)) return false
  }
  return true
}

/** Reads one header value from left to right. */
export class Scanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get done(): boolean {
    return this.#at === this.#text.length
  }

  /** Skips optional white space. */
  skipSpace(): void {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at++
  }

  /** Takes `character` if it is next. */
  take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  /** The token that begins here; empty if none does. */
  token(): string {
    const start = this.#at
    while (this.#at < this.#text.length && TOKEN_CHARACTERS.has(this.#text.charAt(this.#at))) this.#at++
    return this.#text.slice(start, this.#at)
  }

  /** What a quoted string says whose opening quote has been taken; undefined if it never ends. */
  quoted(): string | undefined {
    let value = ''
    while (!this.done) {
      if (this.take('"')) return value
      if (this.take('\\') && this.done) return undefined
      value += this.#text.charAt(this.#at++)
    }
    return undefined
  }
}

/**
 * The elements of a comma-separated list, read by `element`; undefined as soon as one is malformed. Empty elements are
 * passed over, as RFC 9110, section 5.6.1.2, asks of recipients.
 */
export function parseList<Element>(
  values: readonly string[],
  element: (scanner: Scanner) => Element | undefined
): Element[] | undefined {
  const elements: Element[] = []
  for (const value of values) {
    const scanner = new Scanner(value)
    do {
      scanner.skipSpace()
      const before = scanner.done || scanner.take(',')
      if (before) continue
      const parsed = element(scanner)
      if (parsed === undefined) return undefined
      elements.push(parsed)
      scanner.skipSpace()
      if (!scanner.done && !scanner.take(',')) return undefined
    } while (!scanner.done)
  }
  return elements
}

/** The tokens of one or more header lines that hold a list; undefined where one is malformed. */
export function parseTokenList(values: readonly string[]): string[] | undefined {
  return parseList(values, scanner => scanner.token() || undefined)
}

/** The elements of Sec-WebSocket-Extensions lines (RFC 6455, section 9.1); undefined where one is malformed. */
export function parseExtensionList(values: readonly string[]): ExtensionElement[] | undefined {
  return parseList(values, parseExtension)
}

function parseExtension(scanner: Scanner): ExtensionElement | undefined {
  const name = scanner.token()
  if (name === '') return undefined
  const parameters: [string, string | true][] = []
  scanner.skipSpace()
  while (scanner.take(';')) {
    scanner.skipSpace()
    const parameter = scanner.token()
    if (parameter === '') return undefined
    scanner.skipSpace()
    const value = scanner.take('=') ? parseValue(scanner) : true
    if (value === undefined) return undefined
    parameters.push([parameter, value])
    scanner.skipSpace()
  }
  return { name, parameters }
}

/** A token, or a quoted string that holds one (section 9.1: after unescaping it has to be a token). */
function parseValue(scanner: Scanner): string | undefined {
  scanner.skipSpace()
  const value = scanner.take('"') ? scanner.quoted() : scanner.token()
  return value !== undefined && isToken(value) ? value : undefined
}
