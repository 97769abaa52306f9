/** The option `proxy` of the client's, checked, and which proxy it means for a target. */
import { PROXY_NAMES } from '../foreign-names.ts'
import { basicAuthorization, withoutBrackets, type Target } from '../handshake/client-target.ts'
import { checkHeaders, type Headers } from '../handshake/response-headers.ts'
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { checkNames, type KnownNames } from '../protocol/option-names.ts'
import { checkTls, type TlsOptions } from './open-socket.ts'
import { proxyFromEnvironment } from './proxy-environment.ts'
import type { Proxy } from './proxy-tunnel.ts'

export interface ProxyOptions {
  /** `http://user:password@host:port` or https:; user and password become Proxy-Authorization. */
  readonly url: string | URL
  /** More headers for the CONNECT request. */
  readonly headers?: Headers | undefined
  /** For TLS with the proxy itself, where its URL is https: */
  readonly tls?: TlsOptions | undefined
}

/** A URL, a URL and more, or 'environment' for what HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say. */
export type ProxyOption = string | URL | ProxyOptions

/** Which proxy a target is reached through; undefined for none. */
export type ProxySource = (target: Target) => Proxy | undefined

/** What the CONNECT request has of its own. */
const RESERVED = ['connection', 'content-length', 'host', 'transfer-encoding', 'upgrade']
const KNOWN: KnownNames = { prefix: 'proxy.', names: ['url', 'headers', 'tls'], foreign: PROXY_NAMES }

/** @throws MisuseError `invalid-option`, or `invalid-header` for headers that HTTP can't carry */
export function checkProxy(option: unknown): ProxySource | undefined {
  if (option === undefined) return undefined
  if (option === 'environment') return fromEnvironment
  const proxy = readProxy(option)
  return () => proxy
}

/** What the environment says may change, so it is read when it is asked for. */
function fromEnvironment(target: Target): Proxy | undefined {
  const named = proxyFromEnvironment(target)
  if (named === undefined) return undefined
  const { url, variable } = named
  return proxyAt(url.includes('://') ? url : `http://${url}`, `the variable ${variable}`, {}, undefined)
}

function readProxy(option: unknown): Proxy {
  if (typeof option === 'string' || isUrl(option)) return proxyAt(option, 'proxy', {}, undefined)
  if (typeof option !== 'object' || option === null) {
    throw invalid("proxy must be a URL, 'environment', or an object with url, headers and tls")
  }
  checkNames('proxy', option, KNOWN)
  const { url, headers = {}, tls } = option as Partial<ProxyOptions>
  checkHeaders(headers, RESERVED)
  return proxyAt(url, 'proxy.url', headers, checkTls('proxy.tls', tls))
}

/** Also that of another realm. */
function isUrl(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object URL]'
}

/** @param name what the caller calls the URL; no message shows it, for it may hold a password */
function proxyAt(url: unknown, name: string, headers: Headers, tls: TlsOptions | undefined): Proxy {
  const text: unknown = isUrl(url) ? String(url) : url
  if (typeof text !== 'string' || !URL.canParse(text)) {
    throw invalid(`${name} must be a URL, such as http://proxy.example:3128`)
  }
  const parsed = new URL(text)
  const { protocol, hostname, port } = parsed
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw invalid(`${name} must begin with http: or https:, and not ${show(protocol)}`)
  }
  const secure = protocol === 'https:'
  const given = Object.keys(headers).some(name => name.toLowerCase() === 'proxy-authorization')
  const authorization = given ? undefined : basicAuthorization(parsed)
  return {
    secure,
    host: withoutBrackets(hostname),
    port: port === '' ? (secure ? 443 : 80) : Number(port),
    headers: { ...headers, ...(authorization !== undefined && { 'Proxy-Authorization': authorization }) },
    tls,
  }
}

function invalid(sentence: string): MisuseError {
  return new MisuseError('invalid-option', sentence)
}
