/** What two ends agree on (RFC 7692, sections 5 and 7.1): elements of headers in, an agreement out. */
import { MAX_WINDOW_BITS, type DeflateSettings } from './settings.ts'

/** What both ends hold themselves to. */
export interface Agreement {
  /** The server's messages do not refer back to earlier ones. */
  readonly serverNoContextTakeover: boolean
  /** The client's messages do not refer back to earlier ones. */
  readonly clientNoContextTakeover: boolean
  /** The server's messages refer back at most 2^serverMaxWindowBits bytes; 8 to 15. */
  readonly serverMaxWindowBits: number
  /** The client's messages refer back at most 2^clientMaxWindowBits bytes; 8 to 15. */
  readonly clientMaxWindowBits: number
}

/** One element of Sec-WebSocket-Extensions, unquoted; `true` for a parameter without a value. */
export interface Element {
  readonly name: string
  readonly parameters: readonly (readonly [name: string, value: string | true])[]
}

/** The server's response is not an answer to what was offered: the client fails the connection (section 5.1). */
export class NegotiationError extends Error {
  override readonly name = 'NegotiationError'
}

/** zlib can't compress with this window: asked for 8 bits it takes 9, and says so in no raw stream. */
export const UNUSABLE_WINDOW_BITS = 8

const EXTENSION = 'permessage-deflate'
const SERVER_NO_CONTEXT_TAKEOVER = 'server_no_context_takeover'
const CLIENT_NO_CONTEXT_TAKEOVER = 'client_no_context_takeover'
const SERVER_MAX_WINDOW_BITS = 'server_max_window_bits'
const CLIENT_MAX_WINDOW_BITS = 'client_max_window_bits'
/** Section 7.1.2: 8 to 15, decimal, no leading zero. */
const WINDOW_BITS = /^(?:[89]|1[0-5])$/

/** The parameters of one element. */
interface Parameters {
  [SERVER_NO_CONTEXT_TAKEOVER]?: true
  [CLIENT_NO_CONTEXT_TAKEOVER]?: true
  [SERVER_MAX_WINDOW_BITS]?: number
  /** `true` for no value, which says only that the server may choose. */
  [CLIENT_MAX_WINDOW_BITS]?: number | true
}

/**
 * The server's side: the first offer that can be accepted is. Undefined where there is none, and the response says
 * nothing of the extension.
 *
 * @returns the agreement, and the value of the response's Sec-WebSocket-Extensions
 */
export function negotiate(
  offers: readonly Element[],
  settings: DeflateSettings
): { readonly agreement: Agreement; readonly response: string } | undefined {
  for (const { name, parameters } of offers) {
    if (name !== EXTENSION) continue
    const offer = readParameters(parameters)
    // Section 7.1: what is not understood makes an offer one to decline, and the next one is looked at.
    if (typeof offer === 'string' || offer[SERVER_MAX_WINDOW_BITS] === UNUSABLE_WINDOW_BITS) continue
    const agreement = accept(offer, settings)
    return { agreement, response: formatResponse(agreement, offer) }
  }
  return undefined
}

/** The value of the request's Sec-WebSocket-Extensions: one offer. */
export function formatOffer({ mode, windowBits }: DeflateSettings): string {
  // Section 7.1.1.2: of the client's own messages it is a promise, which the server need not answer.
  const takeover = mode === 'shared' ? `; ${SERVER_NO_CONTEXT_TAKEOVER}; ${CLIENT_NO_CONTEXT_TAKEOVER}` : ''
  if (windowBits === MAX_WINDOW_BITS) return `${EXTENSION}${takeover}; ${CLIENT_MAX_WINDOW_BITS}`
  const window = `; ${SERVER_MAX_WINDOW_BITS}=${windowBits}; ${CLIENT_MAX_WINDOW_BITS}=${windowBits}`
  return `${EXTENSION}${takeover}${window}`
}

/**
 * The client's side: what the server's response agrees to, given the offer of `formatOffer`. Undefined where the
 * response says nothing: no compression. A response without the `server_no_context_takeover` that was offered breaks
 * section 7.1.1.1, but servers in use answer so: it is taken, and the client keeps a context for that connection.
 *
 * @param settings undefined where nothing was offered
 * @throws NegotiationError for a response that is no answer to the offer; the handshake fails
 */
export function readAgreement(
  response: readonly Element[],
  settings: DeflateSettings | undefined
): Agreement | undefined {
  const [element] = response
  if (element === undefined) return undefined
  for (const { name } of response) {
    if (settings === undefined || name !== EXTENSION) {
      throw new NegotiationError(`the server accepted the extension ${name}, which was not offered`)
    }
  }
  if (settings === undefined || response.length > 1) {
    throw new NegotiationError(`the server accepted ${EXTENSION} more than once`)
  }
  const answer = readParameters(element.parameters)
  if (typeof answer === 'string') throw new NegotiationError(`in the server's response, ${answer}`)
  const complaint = complainAbout(answer, settings)
  if (complaint !== undefined) throw new NegotiationError(`in the server's response, ${complaint}`)
  return {
    serverNoContextTakeover: answer[SERVER_NO_CONTEXT_TAKEOVER] ?? false,
    clientNoContextTakeover: answer[CLIENT_NO_CONTEXT_TAKEOVER] ?? settings.mode === 'shared',
    serverMaxWindowBits: answer[SERVER_MAX_WINDOW_BITS] ?? MAX_WINDOW_BITS,
    clientMaxWindowBits: numberOr(answer[CLIENT_MAX_WINDOW_BITS], settings.windowBits),
  }
}

/** The parameters that section 7.1 knows; a sentence where one is unknown, repeated or has a value that may not be. */
function readParameters(parameters: Element['parameters']): Parameters | string {
  const found: Parameters = {}
  for (const [name, value] of parameters) {
    if (Object.hasOwn(found, name)) return `the parameter ${name} is repeated`
    if (name === SERVER_NO_CONTEXT_TAKEOVER || name === CLIENT_NO_CONTEXT_TAKEOVER) {
      if (value !== true) return `the parameter ${name} has a value`
      found[name] = true
    } else if (name === SERVER_MAX_WINDOW_BITS || name === CLIENT_MAX_WINDOW_BITS) {
      if (name === CLIENT_MAX_WINDOW_BITS && value === true) {
        found[name] = true
      } else {
        if (value === true || !WINDOW_BITS.test(value)) return `the parameter ${name} has no value from 8 to 15`
        found[name] = Number(value)
      }
    } else {
      return `the parameter ${name} is unknown`
    }
  }
  return found
}

function accept(offer: Parameters, { mode, windowBits }: DeflateSettings): Agreement {
  const shared = mode === 'shared'
  const clientWindow = offer[CLIENT_MAX_WINDOW_BITS]
  return {
    // Section 7.1.1: a server may demand either of them, offered or not. The client's own wish to do without context
    // spares us its window.
    serverNoContextTakeover: shared || offer[SERVER_NO_CONTEXT_TAKEOVER] === true,
    clientNoContextTakeover: shared || offer[CLIENT_NO_CONTEXT_TAKEOVER] === true,
    serverMaxWindowBits: Math.min(offer[SERVER_MAX_WINDOW_BITS] ?? MAX_WINDOW_BITS, windowBits),
    // Section 7.1.2.2: a client that does not mention its window can't be told to have a smaller one.
    clientMaxWindowBits:
      clientWindow === undefined ? MAX_WINDOW_BITS : Math.min(numberOr(clientWindow, MAX_WINDOW_BITS), windowBits),
  }
}

function formatResponse(agreement: Agreement, offer: Parameters): string {
  let response = EXTENSION
  if (agreement.serverNoContextTakeover) response += `; ${SERVER_NO_CONTEXT_TAKEOVER}`
  if (agreement.clientNoContextTakeover) response += `; ${CLIENT_NO_CONTEXT_TAKEOVER}`
  const { serverMaxWindowBits, clientMaxWindowBits } = agreement
  // Section 7.1.2.1: an offer that has it is accepted by an answer that has it; others may be told too.
  if (offer[SERVER_MAX_WINDOW_BITS] !== undefined || serverMaxWindowBits < MAX_WINDOW_BITS) {
    response += `; ${SERVER_MAX_WINDOW_BITS}=${serverMaxWindowBits}`
  }
  if (clientMaxWindowBits < MAX_WINDOW_BITS) response += `; ${CLIENT_MAX_WINDOW_BITS}=${clientMaxWindowBits}`
  return response
}

/** What makes a server's well-formed parameters no answer to our offer. */
function complainAbout(answer: Parameters, { windowBits }: DeflateSettings): string | undefined {
  const serverWindow = answer[SERVER_MAX_WINDOW_BITS]
  const clientWindow = answer[CLIENT_MAX_WINDOW_BITS]
  if (windowBits < MAX_WINDOW_BITS && serverWindow === undefined) {
    return `the parameter ${SERVER_MAX_WINDOW_BITS} is missing`
  }
  if (serverWindow !== undefined && serverWindow > windowBits) {
    return `the parameter ${SERVER_MAX_WINDOW_BITS} is larger than what was offered`
  }
  if (clientWindow === true) return `the parameter ${CLIENT_MAX_WINDOW_BITS} has no value from 8 to 15`
  if (clientWindow !== undefined && clientWindow > windowBits) {
    return `the parameter ${CLIENT_MAX_WINDOW_BITS} is larger than what was offered`
  }
  return undefined
}

function numberOr(value: number | true | undefined, fallback: number): number {
  return typeof value === 'number' ? value : fallback
}
