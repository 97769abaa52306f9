/** permessage-deflate as it is offered, agreed and refused (RFC 7692, sections 5 and 7.1), the tester's own. */
import type { DeflateWish } from '../case.ts'

export const NAME = 'permessage-deflate'
const SERVER_TAKEOVER = 'server_no_context_takeover'
const CLIENT_TAKEOVER = 'client_no_context_takeover'
const SERVER_BITS = 'server_max_window_bits'
const CLIENT_BITS = 'client_max_window_bits'
const TAKEOVERS = [SERVER_TAKEOVER, CLIENT_TAKEOVER]
const MAX_BITS = 15

/** One side's compression. */
export interface Direction {
  readonly contextTakeover: boolean
  /** 8 to 15. */
  readonly windowBits: number
}

export interface Agreement {
  readonly server: Direction
  readonly client: Direction
}

/** An extension with its parameters; true for one without a value. */
interface Element {
  readonly name: string
  readonly parameters: ReadonlyMap<string, string | true>
}

/** The offers of the tester as a client: the value of Sec-WebSocket-Extensions. */
export function formatOffers(wishes: readonly DeflateWish[]): string {
  return wishes
    .map(({ noContextTakeover, windowBits }) => {
      const wanted = [
        ...(noContextTakeover ? [SERVER_TAKEOVER] : []),
        ...(windowBits > 0 ? [`${SERVER_BITS}=${windowBits}`] : []),
      ]
      return [NAME, CLIENT_TAKEOVER, CLIENT_BITS, ...wanted].join('; ')
    })
    .join(', ')
}

/** What a server's answer means; undefined where it agreed on nothing, a sentence where it is not allowed. */
export function readAnswer(value: string | undefined, wishes: readonly DeflateWish[]): Agreement | string | undefined {
  if (value === undefined) return undefined
  const [element, ...more] = parse(value)
  if (element === undefined) return 'Sec-WebSocket-Extensions is malformed'
  if (element.name !== NAME || wishes.length === 0) return `the extension ${element.name} was not offered`
  if (more.length > 0) return 'there is more than one extension'
  const wrong = checkParameters(element, true)
  if (wrong !== undefined) return wrong
  return wishes.some(wish => grants(element, wish)) ? agreementOf(element.parameters) : 'it grants none of the offers'
}

/** Whether an answer keeps to what one offer asked for. */
function grants({ parameters }: Element, { noContextTakeover, windowBits }: DeflateWish): boolean {
  if (noContextTakeover && !parameters.has(SERVER_TAKEOVER)) return false
  return windowBits === 0 || Number(parameters.get(SERVER_BITS) ?? Infinity) <= windowBits
}

/** The tester as a server: the first wish that some offer of the client lets it have, as an answer and an agreement. */
export function chooseOffer(
  value: string | undefined,
  wishes: readonly DeflateWish[]
): { answer: string; agreement: Agreement } | undefined {
  const offers = value === undefined ? [] : parse(value).filter(offer => isUsable(offer))
  for (const wish of wishes) {
    for (const { parameters } of offers) {
      // A client need not have offered client_no_context_takeover (RFC 7692, section 7.1.1.2); most do not.
      if (wish.windowBits > 0 && !parameters.has(CLIENT_BITS)) continue
      return accept(parameters, wish)
    }
  }
  return undefined
}

function isUsable(offer: Element): boolean {
  return offer.name === NAME && checkParameters(offer, false) === undefined
}

function accept(offered: Element['parameters'], wish: DeflateWish): { answer: string; agreement: Agreement } {
  const parameters = new Map<string, string | true>()
  const serverBits = offered.get(SERVER_BITS)
  if (offered.has(SERVER_TAKEOVER)) parameters.set(SERVER_TAKEOVER, true)
  if (serverBits !== undefined) parameters.set(SERVER_BITS, serverBits)
  if (wish.noContextTakeover) parameters.set(CLIENT_TAKEOVER, true)
  if (wish.windowBits > 0) {
    const most = offered.get(CLIENT_BITS)
    parameters.set(CLIENT_BITS, String(Math.min(wish.windowBits, most === true ? MAX_BITS : Number(most))))
  }
  const answer = [NAME, ...[...parameters].map(([name, of]) => (of === true ? name : `${name}=${of}`))].join('; ')
  return { answer, agreement: agreementOf(parameters) }
}

function agreementOf(parameters: Element['parameters']): Agreement {
  const direction = (takeover: string, bits: string): Direction => {
    return { contextTakeover: !parameters.has(takeover), windowBits: Number(parameters.get(bits) ?? MAX_BITS) }
  }
  return { server: direction(SERVER_TAKEOVER, SERVER_BITS), client: direction(CLIENT_TAKEOVER, CLIENT_BITS) }
}

/** A sentence about a parameter that is unknown or has a value it may not have; only an offer may leave bits open. */
function checkParameters({ parameters }: Element, isAnswer: boolean): string | undefined {
  for (const [name, value] of parameters) {
    if (TAKEOVERS.includes(name)) {
      if (value !== true) return `${name} takes no value`
    } else if (name !== SERVER_BITS && name !== CLIENT_BITS) {
      return `the parameter ${name} is unknown`
    } else if (value === true ? isAnswer || name === SERVER_BITS : !/^([89]|1[0-5])$/.test(value)) {
      return `${name} takes a number from 8 to 15`
    }
  }
  return undefined
}

/** The list of extensions; empty where it is malformed or repeats a parameter. */
function parse(value: string): Element[] {
  const elements: Element[] = []
  for (const part of value.split(',')) {
    const [name = '', ...rest] = part.split(';').map(item => item.trim())
    const parameters = new Map<string, string | true>()
    for (const item of rest) {
      const match = /^([\w-]+)(?:\s*=\s*(?:"([\w-]+)"|([\w-]+)))?$/.exec(item)
      if (match === null || parameters.has(match[1])) return []
      parameters.set(match[1], match[2] ?? match[3] ?? true)
    }
    if (!/^[\w-]+$/.test(name)) return []
    elements.push({ name, parameters })
  }
  return elements
}
