/** Random handshake headers through our grammar and through the parsers of `ws`, and what is known to differ. */
import { createRequire } from 'node:module'
import { PerMessageDeflate } from './theirs.js'

const require = createRequire(import.meta.url)
const extension = require('./node_modules/ws/lib/extension.js')
const subprotocol = require('./node_modules/ws/lib/subprotocol.js')
const WebSocketServer = require('./node_modules/ws/lib/websocket-server.js')

const PIECES = [
  'a',
  'chat',
  'x-y',
  '1',
  '!',
  ',',
  ',',
  ';',
  ';',
  '=',
  '"',
  '\\',
  ' ',
  '\t',
  ', ',
  '; ',
  'a=1',
  'b="c"',
  'd="\\e"',
  'f; g = 1',
  '(',
  'ü',
  '',
]
const DEFLATE = 'permessage-deflate'
const NAMES = [
  'server_no_context_takeover',
  'client_no_context_takeover',
  'server_max_window_bits',
  'client_max_window_bits',
]
const VALUES = [
  '',
  '',
  '=8',
  '=9',
  '=12',
  '=15',
  '=16',
  '=7',
  '=08',
  '="10"',
  '=1e1',
  '=0xa',
  '=true',
  '=-9',
  '="1\\5"',
]

const text = (random, pieces, most) => Array.from({ length: random.below(most) }, () => random.pick(pieces)).join('')
const trim = value => value.replace(/^[ \t]+|[ \t]+$/g, '')

function attempt(parse) {
  try {
    return parse()
  } catch {
    return undefined
  }
}

/** Our elements as the maps of maps that `ws` makes. */
function asMaps(elements) {
  const maps = Object.create(null)
  for (const { name, parameters } of elements) {
    const map = Object.create(null)
    for (const [parameter, value] of parameters) (map[parameter] ??= []).push(value)
    ;(maps[name] ??= []).push(map)
  }
  return maps
}

const sorted = value =>
  JSON.stringify(value, (_, item) =>
    item === null || typeof item !== 'object' || Array.isArray(item)
      ? item
      : Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
  )

/** Without what stands in quotes, so that commas and spaces are the list's own. */
const unquoted = header => header.replace(/"(?:\\.|[^"\\])*"/g, 'q')

/** The headers that ours takes and `ws` does not; both are told as a pair of what came out. */
export const KNOWN_HEADERS = [
  {
    name: 'empty list elements',
    reason: 'RFC 9110, section 5.6.1.2: a recipient MUST pass over a reasonable number of them. ws refuses them.',
    holds: (ours, theirs, header) =>
      ours !== undefined && theirs === undefined && /^$|(^|,)[ \t]*(,|$)/.test(unquoted(header)),
  },
  {
    name: 'space around an equals sign',
    reason:
      'ws refuses white space next to the equals sign of a parameter; we take it, as RFC 2616 let senders write it.',
    holds: (ours, theirs, header) =>
      ours !== undefined && theirs === undefined && /[ \t]=|=[ \t]/.test(unquoted(header)),
  },
  {
    name: 'subprotocol repeated',
    reason:
      'RFC 6455, section 4.1: the parser of ws refuses it; ours leaves that to the request, which refuses it too.',
    holds: (ours, theirs) => ours !== undefined && theirs === undefined && new Set(ours).size < ours.length,
  },
]

/** What differs over requests and offers. */
export const KNOWN_OFFERS = [
  {
    name: 'bad offer passed over',
    reason:
      'RFC 7692, section 5.1: a server declines an offer that is not valid, and looks at the next. ws refuses all.',
    holds: (ours, theirs, header) => theirs === 'refused' && ours === firstGoodOffer(header),
  },
  {
    name: 'window of 8 bits',
    reason: 'zlib has no window of 8 bits to compress with: we decline the offer, ws accepts it and uses 9.',
    holds: (ours, theirs, header) =>
      ours !== theirs && theirs !== 'refused' && /server_max_window_bits="?8/.test(header),
  },
  {
    name: 'numbers of window bits',
    reason: 'Section 7.1.2: decimal, without a leading zero. ws takes whatever JavaScript makes a number of.',
    holds: (ours, theirs, header) => ours !== theirs && /=(08|1e1|0xa)/.test(header),
  },
]

/** What is known to differ over whole requests. */
export const KNOWN_REQUESTS = [
  {
    name: 'Upgrade as a list',
    reason: 'RFC 9110, section 7.8: Upgrade is a list, in which we look for websocket. ws wants nothing else in it.',
    holds: (ours, theirs, { Upgrade }) =>
      ours && !theirs && Upgrade !== undefined && trim(Upgrade).toLowerCase() !== 'websocket',
  },
  {
    name: 'Connection',
    reason: 'Section 4.2.1 asks for Connection: Upgrade. ws leaves that to Node, which does not look for more than it.',
    holds: (ours, theirs, { Connection }) =>
      !ours && theirs && !/(^|,)[ \t]*upgrade[ \t]*(,|$)/i.test(Connection ?? ''),
  },
  {
    name: 'version 8',
    reason: 'Section 4.4: the version is 13. ws speaks 8 too, a draft, and takes what JavaScript makes 13 of.',
    holds: (ours, theirs, headers) => !ours && theirs && headers['Sec-WebSocket-Version'] !== '13',
  },
  {
    name: 'empty list elements in a request',
    reason: 'As above.',
    holds: (ours, theirs, headers) =>
      ours &&
      !theirs &&
      ['Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions'].some(name =>
        /(^|,)[ \t]*(,|$)/.test(unquoted(trim(headers[name] ?? 'a')))
      ),
  },
  {
    name: 'space around an equals sign in a request',
    reason: 'As above.',
    holds: (ours, theirs, headers) =>
      ours && !theirs && /[ \t]=|=[ \t]/.test(unquoted(headers['Sec-WebSocket-Extensions'] ?? '')),
  },
  {
    name: 'bad offer in a request',
    reason: 'As above: a bad offer of compression is declined, not refused.',
    holds: (ours, theirs, headers) => ours && !theirs && (headers['Sec-WebSocket-Extensions'] ?? '').includes(DEFLATE),
  },
]

function verdict(known, ours, theirs, what, header, same = ours === theirs) {
  if (same) return { known: [], difference: undefined }
  const entry = known.find(({ holds }) => holds(ours, theirs, header))
  if (entry !== undefined) return { known: [entry.name], difference: undefined }
  return { known: [], difference: { what, header, ours, theirs } }
}

function compareLists(random, lib) {
  const header = trim(text(random, PIECES, 12))
  const names = attempt(() => [...subprotocol.parse(header)])
  const ours = lib.parseTokenList([header])
  const tokens = verdict(KNOWN_HEADERS, ours, names, 'subprotocols', header, sorted(ours) === sorted(names))
  const elements = lib.parseExtensionList([header])
  const [mine, maps] = [elements && asMaps(elements), attempt(() => extension.parse(header))]
  const parsed = verdict(KNOWN_HEADERS, mine, maps, 'extensions', header, sorted(mine) === sorted(maps))
  return { known: [...tokens.known, ...parsed.known], difference: tokens.difference ?? parsed.difference }
}

function randomElements(random, most) {
  return Array.from({ length: 1 + random.below(most) }, () => {
    const name = random.oneIn(8) ? 'x-other' : DEFLATE
    const parameters = Array.from({ length: random.below(4) }, () => {
      const parameter = random.oneIn(12) ? 'unknown' : random.pick(NAMES)
      const value = parameter.endsWith('bits') !== random.oneIn(8) ? random.pick(VALUES) : ''
      return `; ${parameter}${value}`
    })
    return name + parameters.join('')
  }).join(', ')
}

const agreed = (server, client, serverBits, clientBits) =>
  `${Boolean(server)} ${Boolean(client)} ${serverBits ?? 15} ${clientBits ?? 15}`
const fromParameters = p =>
  agreed(p.server_no_context_takeover, p.client_no_context_takeover, p.server_max_window_bits, p.client_max_window_bits)
const fromAgreement = a =>
  agreed(a.serverNoContextTakeover, a.clientNoContextTakeover, a.serverMaxWindowBits, a.clientMaxWindowBits)

/** What `ws` makes of the first offer that is good on its own, and by the letter of section 7.1.2. */
function firstGoodOffer(header) {
  for (const offer of extension.parse(header)[DEFLATE] ?? []) {
    const { server_max_window_bits: [server] = ['9'], client_max_window_bits: [client] = ['9'] } = offer
    const usable = /^(9|1[0-5])$/.test(server) && (client === true || /^([89]|1[0-5])$/.test(client))
    const accepted = usable ? attempt(() => new PerMessageDeflate({ isServer: true }).accept([offer])) : undefined
    if (accepted !== undefined) return fromParameters(accepted)
  }
  return 'none'
}

/** The server's side of an offer: 'none', 'refused', or what is agreed on. */
function compareOffers(random, lib) {
  const header = randomElements(random, 3)
  const settings = lib.resolveDeflateSettings({ mode: 'dedicated', windowBits: 15 })
  const elements = lib.parseExtensionList([header])
  const offer = elements && lib.negotiate(elements, settings)
  const ours = elements === undefined ? 'refused' : offer === undefined ? 'none' : fromAgreement(offer.agreement)
  const theirs = attempt(() => {
    const offers = extension.parse(header)[DEFLATE]
    return offers === undefined ? 'none' : fromParameters(new PerMessageDeflate({ isServer: true }).accept(offers))
  })
  if (offer !== undefined && !understood(offer))
    return { known: [], difference: { what: 'our answer', header, ours: offer } }
  return verdict(KNOWN_OFFERS, ours, theirs ?? 'refused', 'offers', header)
}

/** Whether a `ws` client takes our answer to mean the same. */
function understood({ agreement, response }) {
  const [answer] = extension.parse(response)[DEFLATE]
  const accepted = attempt(() => new PerMessageDeflate({}).accept([answer]))
  return accepted !== undefined && fromParameters(accepted) === fromAgreement(agreement)
}

/** The client's side of an answer. */
function compareAnswers(random, lib) {
  const header = randomElements(random, 1)
  const settings = lib.resolveDeflateSettings({ mode: 'dedicated', windowBits: 15 })
  const agreement = attempt(() => lib.readAgreement(lib.parseExtensionList([header]), settings))
  const ours = agreement === undefined ? 'refused' : fromAgreement(agreement)
  const theirs = attempt(() => {
    const parsed = extension.parse(header)
    return Object.keys(parsed).join() === DEFLATE && parsed[DEFLATE].length === 1
      ? fromParameters(new PerMessageDeflate({}).accept(parsed[DEFLATE]))
      : undefined
  })
  return verdict(KNOWN_OFFERS.slice(1), ours, theirs ?? 'refused', 'answers', header)
}

const REQUEST = {
  Host: ['localhost'],
  Upgrade: ['websocket', 'websocket', 'WebSocket', ' websocket ', 'h2c, websocket', 'websocket2', 'h2c', ''],
  Connection: ['Upgrade', 'upgrade', 'keep-alive, Upgrade', 'Upgrade,', 'close', ''],
  'Sec-WebSocket-Key': [
    'dGhlIHNhbXBsZSBub25jZQ==',
    'AAAAAAAAAAAAAAAAAAAAAA==',
    'dGhlIHNhbXBsZSBub25jZQ=',
    'dGhlIHNhbXBsZSBub25jZ===',
    'dGhlIHNhbXBsZSBub25jZ-==',
    '',
  ],
  'Sec-WebSocket-Version': ['13', '13', '13', '8', '14', '13.0', '0xd', ''],
  'Sec-WebSocket-Protocol': ['chat', 'chat, superchat', 'chat, chat', 'a,,b', 'a b', '"a"', ''],
  'Sec-WebSocket-Extensions': [
    DEFLATE,
    `${DEFLATE}; client_max_window_bits`,
    `${DEFLATE}; x`,
    'x; a=1',
    'x, ,y',
    'x; a = 1',
    '=',
    ';',
    '',
  ],
}

/** A whole request: is it taken? The headers are whole, since Node joins or drops what is repeated. */
function compareRequests(random, lib) {
  const headers = {}
  const optional = ['Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions']
  for (const [name, values] of Object.entries(REQUEST)) {
    if (random.oneIn(optional.includes(name) ? 2 : 40)) continue
    headers[name] = random.oneIn(4) ? random.pick(values) : values[0]
  }
  const method = random.oneIn(30) ? 'POST' : 'GET'
  const rawHeaders = Object.entries(headers).flat()
  const offer = lib.readRequest({ method, url: '/', httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders }, 'any')
  const ours = !(offer instanceof lib.Refusal)
  const theirs = isTaken({
    method,
    url: '/',
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), trim(value)])),
  })
  if (!ours && theirs && headers.Host === undefined) return { known: [], difference: undefined }
  return verdict(KNOWN_REQUESTS, ours, theirs, 'requests', headers)
}

const server = new WebSocketServer({ noServer: true, perMessageDeflate: true, clientTracking: false })

function isTaken(request) {
  let taken = false
  server.completeUpgrade = () => (taken = true)
  const socket = { on() {}, once() {}, end() {}, destroy() {}, removeListener() {} }
  server.handleUpgrade(request, socket, Buffer.alloc(0), () => {})
  return taken
}

const COMPARISONS = [compareLists, compareLists, compareOffers, compareAnswers, compareRequests]

/** One random header or request. */
export function compareHandshakes(random, lib) {
  return random.pick(COMPARISONS)(random, lib)
}
