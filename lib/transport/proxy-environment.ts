/** Which proxy the environment names for a target: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. */
import { BlockList, isIP } from 'node:net'
import type { Target } from '../handshake/client-target.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** A proxy's URL, and the variable that it came from. */
export interface NamedProxy {
  readonly url: string
  readonly variable: string
}

/** Lower-case names go before upper-case ones; undefined where the target is to be reached directly. */
export function proxyFromEnvironment(target: Target, environment: Environment = process.env): NamedProxy | undefined {
  const names = target.secure ? ['https_proxy', 'all_proxy'] : ['http_proxy', 'all_proxy']
  const proxy = firstSet(environment, names.flatMap(name => [name, name.toUpperCase()]))
  const exceptions = firstSet(environment, ['no_proxy', 'NO_PROXY'])?.url ?? ''
  return exceptions.split(/[\s,]+/).some(exception => isException(exception.toLowerCase(), target)) ? undefined : proxy
}

function firstSet(environment: Environment, variables: readonly string[]): NamedProxy | undefined {
  for (const variable of variables) {
    // In a CGI program this is a header Proxy of the request, so anybody's.
    if (variable === 'HTTP_PROXY' && environment['REQUEST_METHOD'] !== undefined) continue
    const url = environment[variable]?.trim()
    if (url !== undefined && url !== '') return { url, variable }
  }
  return undefined
}

/** `*`; a name, which stands for itself and all below it; an address or a network; each perhaps with a port. */
function isException(exception: string, { host, port }: Target): boolean {
  if (exception === '*') return true
  const [, name = '', onlyPort] = /^(.*?)(?::(\d+))?$/.exec(isIP(exception) === 6 ? `[${exception}]` : exception) ?? []
  if (onlyPort !== undefined && Number(onlyPort) !== port) return false
  const wanted = name.replace(/^\[(.*)\]$/, '$1')
  const [network = '', bits] = wanted.split('/')
  if (isIP(network) !== 0 || isIP(host) !== 0) return isIP(host) === isIP(network) && isWithin(host, network, bits)
  const domain = wanted.replace(/^\*?\./, '')
  return domain !== '' && (host === domain || host.endsWith(`.${domain}`))
}

function isWithin(host: string, network: string, bits: string | undefined): boolean {
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4'
  const most = family === 'ipv6' ? 128 : 32
  const prefix = bits === undefined ? most : Number(bits)
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > most) return false
  const list = new BlockList()
  list.addSubnet(network, prefix, family)
  return list.check(host, family)
}
