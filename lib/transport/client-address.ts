/** Who a client is: the address of its connection, or what a trusted proxy says of it; and what counts as one address. */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { forwardedAddress } from '../handshake/forwarded.ts'
import { isToken } from '../handshake/grammar.ts'
import { peerAddress } from '../node-internals/peer-address.ts'
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { checkNames, type KnownNames } from '../protocol/option-names.ts'
import { ownString } from '../protocol/own-string.ts'

export interface TrustProxyOptions {
  /** The header with the client's address: `x-forwarded-for`, `forwarded`, or another list of addresses. */
  readonly header: string
  /**
   * Whose header counts: addresses, networks (`10.0.0.0/8`, `fd00::/8`), 'loopback', 'private' (RFC 1918 and 4193, and
   * link-local) and 'unix' (whoever connects by a unix socket).
   */
  readonly proxies: readonly string[]
}

/** false: no header counts. */
export type TrustProxyOption = false | TrustProxyOptions

const LOOPBACK = ['127.0.0.0/8', '::1/128']
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10']
const NAMED: Readonly<Record<string, readonly string[]>> = { loopback: LOOPBACK, private: PRIVATE, unix: [] }

const near = networksOf([...LOOPBACK, ...PRIVATE])

/**
 * Whether the address is this machine's, or of a private network.
 *
 * @param address as a socket or `addressKey` writes it
 */
export function isNear(address: string): boolean {
  // A BlockList makes two objects to look at one address: 3 of the 56 µs that a handshake took (Node 20).
  if (address.includes(':')) return contains(near, address)
  const dot = address.indexOf('.')
  const first = Number(address.slice(0, dot))
  if (first === 127 || first === 10) return true
  const second = Number(address.slice(dot + 1, address.indexOf('.', dot + 1)))
  return (
    (first === 192 && second === 168) || (first === 172 && second >= 16 && second < 32) || (first === 169 && second === 254)
  )
}

/** Whose word is taken for the client's address. */
export class TrustedProxies {
  readonly #header: string
  readonly #networks: BlockList
  readonly #unix: boolean

  /** @param proxies as the option has them, all of them known to be right */
  constructor({ header, proxies }: TrustProxyOptions) {
    this.#header = header.toLowerCase()
    this.#networks = networksOf(proxies.flatMap(proxy => NAMED[proxy] ?? [proxy]))
    this.#unix = proxies.includes('unix')
  }

  /** The client's address; of one that hides behind a unix socket, undefined. */
  clientOf(peer: string | undefined, rawHeaders: readonly string[]): string | undefined {
    const trusted = peer === undefined ? this.#unix : contains(this.#networks, peer)
    if (!trusted) return peer
    const isProxy = (address: string): boolean | undefined =>
      isIP(address) === 0 ? undefined : contains(this.#networks, address)
    const address = forwardedAddress(rawHeaders, this.#header, peer ?? '', isProxy)
    // It is cut from a header, and kept for as long as the connection.
    return address === peer ? peer : ownString(address) || undefined
  }
}

/** The address at the other end; undefined for what is no socket, or is gone. */
export function addressOf(socket: Duplex): string | undefined {
  return socket instanceof Socket ? socket.remoteAddress : undefined
}

/** The address of whoever sent the request. */
export function clientAddress(request: IncomingMessage, proxies: TrustedProxies | undefined): string | undefined {
  const peer = peerAddress(request.socket)
  return proxies === undefined ? peer : proxies.clientOf(peer, request.rawHeaders)
}

const KNOWN: KnownNames = { prefix: 'trustProxy.', names: ['header', 'proxies'] }

/**
 * @returns undefined for none
 * @throws MisuseError `invalid-option`, naming the option and what it may be
 */
export function resolveTrustProxy(option: TrustProxyOption = false): TrustedProxies | undefined {
  if (option === false) return undefined
  if (typeof option !== 'object' || option === null) {
    throw invalid(`trustProxy must be false or an object of header and proxies, and not ${show(option)}`)
  }
  checkNames('trustProxy', option, KNOWN)
  const { header, proxies } = option
  if (typeof header !== 'string' || !isToken(header)) {
    throw invalid(`trustProxy.header must be the name of a header, such as x-forwarded-for, and not ${show(header)}`)
  }
  const valid = Array.isArray(proxies) && proxies.length > 0 && proxies.every(isProxyName)
  if (valid) return new TrustedProxies(option)
  const allowed = "addresses, networks such as 10.0.0.0/8, 'loopback', 'private' and 'unix'"
  throw invalid(`trustProxy.proxies must be a list of ${allowed}, and not ${show(proxies)}`)
}

/**
 * What is counted as one address: an IPv4 address, also where it is mapped into IPv6 (RFC 4291, section 2.5.5.2); of
 * IPv6 the first 64 bits, which is the least that a customer gets.
 *
 * @param address a valid one
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address
  const groups = groupsOf(address)
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every(group => group === 0)
  if (isMapped) return [groups[6] >> 8, groups[6] & 0xff, groups[7] >> 8, groups[7] & 0xff].join('.')
  return groups.slice(0, 4).map(group => group.toString(16)).join(':')
}

/** The eight numbers of an IPv6 address, whose zone does not matter. */
function groupsOf(address: string): number[] {
  const [before = '', after] = address.replace(/%.*/, '').split('::')
  const head = numbersOf(before)
  if (after === undefined) return head
  const tail = numbersOf(after)
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail]
}

function numbersOf(text: string): number[] {
  const groups = text === '' ? [] : text.split(':')
  return groups.flatMap(group => {
    if (!group.includes('.')) return [parseInt(group, 16)]
    const [a, b, c, d] = group.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}

function isProxyName(value: unknown): value is string {
  if (typeof value !== 'string') return false
  if (Object.hasOwn(NAMED, value)) return true
  const [address, prefix, more] = value.split('/')
  const version = isIP(address)
  if (version === 0 || more !== undefined) return false
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128))
}

function networksOf(entries: readonly string[]): BlockList {
  const list = new BlockList()
  for (const entry of entries) {
    const [address, prefix] = entry.split('/')
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return list
}

function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
}

function invalid(sentence: string): MisuseError {
  return new MisuseError('invalid-option', sentence)
}
