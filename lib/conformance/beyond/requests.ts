/** Group 27: requests that a server has to refuse, and such as it has to take (RFC 6455, section 4.2). */
import type { Allowed, ProbeCase } from '../case.ts'
import {
  answers,
  bytesOf,
  GOES_ON,
  HELLO,
  informational,
  nonStrict,
  probes,
  raw,
  refuses,
  requestAnd,
  requestWith,
  send,
  text,
  WENT_ON,
  type Draft,
} from './build.ts'

const KEY = 'Sec-WebSocket-Key'
const VERSION = 'Sec-WebSocket-Version'
const EXTENSIONS = 'Sec-WebSocket-Extensions'
const MANY = Array.from({ length: 2000 }, (_, number) => `X-Header-${number}: value`)

const STEPS = [GOES_ON]
const TAKEN = answers(WENT_ON)
const TAKEN_STRICTLY: readonly Allowed[] = [...TAKEN, nonStrict('refuses')]
/** Refusing is the best, accepting is left open. */
const REFUSED = refuses()
const CAREFUL: readonly Allowed[] = [...REFUSED, ...informational('answers', 'closes', 'waits')]

function request(
  sends: string,
  handshake: string,
  allowed: readonly Allowed[],
  rule: string,
  more: Partial<ProbeCase> = {}
): Draft {
  return { sends, handshake, steps: STEPS, allowed, rule, ...more }
}

const LINE = 'RFC 6455, 4.2.1, 1: the request is a GET, in HTTP/1.1 or higher.'
const HOST =
  'RFC 6455, 4.2.1, 2, and RFC 9112, 3.2: a request has one Host; without it, or with two, the answer is 400.'
const UPGRADE = 'RFC 6455, 4.2.1, 3: Upgrade has to name websocket.'
const CONNECTION = 'RFC 6455, 4.2.1, 4: Connection has to have the token upgrade.'
const KEYS = 'RFC 6455, 4.2.1, 5, and 11.3.1: Sec-WebSocket-Key has to be there once, and be 16 bytes in base64.'
const VERSIONS = 'RFC 6455, 4.2.1, 6, and 11.3.5: Sec-WebSocket-Version has to be there once, and be 13.'
const MISMATCH =
  'RFC 6455, 4.2.2, 4, and 4.4: a version that a server does not know is refused, with the ones that it does in Sec-WebSocket-Version.'
const SYNTAX =
  'RFC 9112, 2.2 and 5: a head has lines that end with CR LF, each with a name, a colon right behind it and a value without control characters.'
const LIMITS =
  'RFC 9110, 2.3 and 4.1, and RFC 6585, 5: a server may refuse what is too long; whether it does is left open.'
const MALFORMED =
  'RFC 6455, 9.1: a value of Sec-WebSocket-Extensions that does not keep to the grammar fails the handshake.'

const WRONG: readonly Draft[] = [
  ...['POST', 'PUT', 'OPTIONS', 'get'].map(method =>
    request(`A handshake by ${method}.`, requestWith('GET', `${method} {target} HTTP/1.1`), REFUSED, LINE)
  ),
  request('A handshake in HTTP/1.0.', requestWith('GET', 'GET {target} HTTP/1.0'), REFUSED, LINE),
  request('No Host.', requestWith('Host'), REFUSED, HOST),
  request(
    'Two Hosts, one of them another one.',
    requestWith('Host', 'Host: {host}', 'Host: example.org'),
    REFUSED,
    HOST
  ),
  request('No Upgrade.', requestWith('Upgrade'), REFUSED, UPGRADE),
  request('Upgrade: h2c.', requestWith('Upgrade', 'Upgrade: h2c'), REFUSED, UPGRADE),
  request('Upgrade: websockets.', requestWith('Upgrade', 'Upgrade: websockets'), REFUSED, UPGRADE),
  request('No Connection.', requestWith('Connection'), REFUSED, CONNECTION),
  request('Connection: keep-alive.', requestWith('Connection', 'Connection: keep-alive'), REFUSED, CONNECTION),
  request('Connection: Upgrades.', requestWith('Connection', 'Connection: Upgrades'), REFUSED, CONNECTION),
  request('No Sec-WebSocket-Key.', requestWith(KEY), REFUSED, KEYS),
  request('An empty key.', requestWith(KEY, `${KEY}:`), REFUSED, KEYS),
  request('A key of 15 bytes.', requestWith(KEY, `${KEY}: AAECAwQFBgcICQoLDA0O`), REFUSED, KEYS),
  request('A key of 17 bytes.', requestWith(KEY, `${KEY}: AAECAwQFBgcICQoLDA0ODxA=`), REFUSED, KEYS),
  request('A key that is no base64.', requestWith(KEY, `${KEY}: AAECAwQFBgcICQoL!A0ODw==`), REFUSED, KEYS),
  request('A key without its padding.', requestWith(KEY, `${KEY}: AAECAwQFBgcICQoLDA0ODw`), REFUSED, KEYS),
  request('Two different keys.', requestAnd(`${KEY}: AAECAwQFBgcICQoLDA0ODw==`), REFUSED, KEYS),
  request('The same key twice.', requestAnd(`${KEY}: {key}`), REFUSED, KEYS),
  request('No Sec-WebSocket-Version.', requestWith(VERSION), REFUSED, VERSIONS),
  request('Two versions, 13 and 8.', requestAnd(`${VERSION}: 8`), REFUSED, VERSIONS),
  request('Version 13 twice.', requestAnd(`${VERSION}: 13`), REFUSED, VERSIONS),
  request(
    'Version 8, of a draft.',
    requestWith(VERSION, `${VERSION}: 8`),
    [...refuses(undefined, VERSION.toLowerCase()), nonStrict('refuses'), ...informational('answers')],
    MISMATCH
  ),
  ...['0', '12', '14', '255'].map(version =>
    request(
      `Version ${version}.`,
      requestWith(VERSION, `${VERSION}: ${version}`),
      [...refuses(undefined, VERSION.toLowerCase()), nonStrict('refuses')],
      MISMATCH
    )
  ),
  request('Version 13.0.', requestWith(VERSION, `${VERSION}: 13.0`), REFUSED, VERSIONS),
  request('Version 013.', requestWith(VERSION, `${VERSION}: 013`), REFUSED, VERSIONS),
]

const ODD: readonly Draft[] = [
  request('A space before a colon.', requestWith('Upgrade', 'Upgrade : websocket'), REFUSED, SYNTAX),
  request('A NUL in a value.', requestAnd('X-Header: a\0b'), REFUSED, SYNTAX),
  request('A bare CR in a value.', requestAnd('X-Header: a\rb'), CAREFUL, SYNTAX),
  request('A line without a colon.', requestAnd('X-Header'), REFUSED, SYNTAX),
  request('A header without a name.', requestAnd(': value'), REFUSED, SYNTAX),
  request('A space in a name.', requestAnd('X Header: value'), REFUSED, SYNTAX),
  request(
    'A line that is folded.',
    requestAnd('X-Header: a', ' b'),
    CAREFUL,
    'RFC 9112, 5.2: a folded line is refused with 400, or read as one with spaces.'
  ),
  request('A line end within the path.', requestWith('GET', 'GET /a\r\nX-Injected: b HTTP/1.1'), REFUSED, SYNTAX),
  request(
    'A request line with two spaces in the path.',
    requestWith('GET', 'GET {target} and more HTTP/1.1'),
    CAREFUL,
    SYNTAX
  ),
  request(
    'Lines that end with LF only.',
    requestAnd().replaceAll('\r\n', '\n'),
    [...CAREFUL, ...informational('waits')],
    'RFC 9112, 2.2: a recipient may take a LF alone for a line end.',
    { patience: 1 }
  ),
  request(
    'An empty line before the request.',
    `\r\n${requestAnd()}`,
    TAKEN_STRICTLY,
    'RFC 9112, 2.2: a server should ignore an empty line before a request.'
  ),
  request(
    'A body: Content-Length: 5 and 5 bytes, then a message.',
    requestAnd('Content-Length: 5'),
    informational('answers', 'closes', 'refuses', 'waits'),
    'RFC 9110, 9.3.1: a body of a GET means nothing. What is done with it is left open.',
    { early: true, steps: [raw(bytesOf('abcde'), 'a body of 5 bytes'), send(text, HELLO)] }
  ),
  request(
    'Content-Length and Transfer-Encoding at once.',
    requestAnd('Content-Length: 5', 'Transfer-Encoding: chunked'),
    CAREFUL,
    'RFC 9112, 6.1: both at once may be an attack; a server may refuse them.',
    { early: true, steps: [raw(bytesOf('0\r\n\r\n'), 'an empty chunk')], patience: 1 }
  ),
  request(
    'Two different Content-Lengths.',
    requestAnd('Content-Length: 5', 'Content-Length: 6'),
    REFUSED,
    'RFC 9112, 6.3: different lengths are an error that is answered with 400.'
  ),
  request('2,000 headers.', requestAnd(...MANY), [...REFUSED, ...informational('answers')], LIMITS),
  request(
    'A header of 100,000 bytes.',
    requestAnd(`X-Header: ${'a'.repeat(100_000)}`),
    [...REFUSED, ...informational('answers')],
    LIMITS
  ),
  request(
    'A path of 100,000 bytes.',
    requestWith('GET', `GET /${'a'.repeat(100_000)} HTTP/1.1`),
    [...REFUSED, ...informational('answers')],
    LIMITS
  ),
  request(
    'A subprotocol that is no token.',
    requestAnd('Sec-WebSocket-Protocol: a b'),
    CAREFUL,
    'RFC 6455, 4.1, 10: each subprotocol is a token. What a server does about others is left open.'
  ),
  ...[
    'permessage-deflate;;',
    'permessage-deflate; =1',
    '=',
    'a b',
    'permessage-deflate; client_max_window_bits="10',
  ].map(value =>
    request(
      `${EXTENSIONS}: ${value}`,
      requestAnd(`${EXTENSIONS}: ${value}`),
      [...REFUSED, nonStrict('answers', WENT_ON)],
      MALFORMED
    )
  ),
]

const CASES =
  'RFC 9110, 5.1 and 7.8, and RFC 6455, 4.2.1: names of headers, and the tokens in Upgrade and Connection, are the same in any case of letters.'
const LISTS =
  'RFC 9110, 5.3 and 7.6.1: Connection and Upgrade are lists; one header with commas and several headers mean the same.'
const SPACES = 'RFC 9112, 5.1: there may be spaces and tabs around a value, or none; they are no part of it.'
const UNKNOWN =
  'RFC 6455, 4.2.1: headers that a server does not know, and extensions and versions of them, are ignored.'

const GOOD: readonly Draft[] = [
  request(
    'All names in lower case.',
    requestAnd().replace(/^[\w-]+(?=:)/gm, name => name.toLowerCase()),
    TAKEN,
    CASES
  ),
  request(
    'All names in upper case.',
    requestAnd().replace(/^[\w-]+(?=:)/gm, name => name.toUpperCase()),
    TAKEN,
    CASES
  ),
  request('Upgrade: WebSocket.', requestWith('Upgrade', 'Upgrade: WebSocket'), TAKEN, CASES),
  request(
    'Upgrade: WEBSOCKET, Connection: UPGRADE.',
    requestWith('Upgrade', 'Upgrade: WEBSOCKET').replace('Connection: Upgrade', 'Connection: UPGRADE'),
    TAKEN,
    CASES
  ),
  request(
    'Connection: keep-alive, Upgrade.',
    requestWith('Connection', 'Connection: keep-alive, Upgrade'),
    TAKEN,
    LISTS
  ),
  request(
    'Connection: Upgrade,keep-alive without a space.',
    requestWith('Connection', 'Connection: Upgrade,keep-alive'),
    TAKEN,
    LISTS
  ),
  request(
    'Connection: , ,Upgrade, with empty items.',
    requestWith('Connection', 'Connection: , ,Upgrade,'),
    TAKEN_STRICTLY,
    'RFC 9110, 5.6.1.2: empty items of a list are ignored, in a reasonable number.'
  ),
  request(
    'Two Connection headers.',
    requestWith('Connection', 'Connection: keep-alive', 'Connection: Upgrade'),
    TAKEN,
    LISTS
  ),
  request('Upgrade: h2c, websocket.', requestWith('Upgrade', 'Upgrade: h2c, websocket'), TAKEN_STRICTLY, LISTS),
  request('No space behind any colon.', requestAnd().replaceAll(': ', ':'), TAKEN, SPACES),
  request('Spaces around all values.', requestAnd().replace(/: (.*)/g, ':   $1  '), TAKEN, SPACES),
  request(
    'Tabs around all values, but none behind Connection.',
    requestAnd()
      .replace(/: (.*)/g, ':\t$1\t')
      .replace('Upgrade\t\r', 'Upgrade\r'),
    TAKEN,
    SPACES
  ),
  request(
    'The headers in another order.',
    requestAnd().replace(/(Host: .*\r\n)([^]*?)\r\n\r\n/, '$2\r\n$1\r\n'),
    TAKEN,
    'RFC 9110, 5.3: the order of headers with different names means nothing.'
  ),
  request(
    'Headers that nobody knows, one with all that a value may have.',
    requestAnd('X-Header: \t!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~ é', 'X-Empty:'),
    TAKEN,
    UNKNOWN
  ),
  request(
    'An absolute URL in the request line.',
    requestWith('GET', 'GET http://{host}{target} HTTP/1.1'),
    TAKEN_STRICTLY,
    'RFC 6455, 4.2.1, 1, and RFC 9112, 3.2.2: a server has to take an absolute URL too.'
  ),
  request(
    'An extension that nobody knows.',
    requestAnd(`${EXTENSIONS}: x-none; a=1; b="c"`),
    TAKEN,
    'RFC 6455, 9.1: extensions that a server does not know are not agreed on, and that is all.'
  ),
  request(
    'Two headers with extensions that nobody knows.',
    requestAnd(`${EXTENSIONS}: x-none`, `${EXTENSIONS}: x-other`),
    TAKEN,
    'RFC 6455, 11.3.2: Sec-WebSocket-Extensions may be there several times, which means the same as one list.'
  ),
  request(
    'HTTP/1.2.',
    requestWith('GET', 'GET {target} HTTP/1.2'),
    [...informational('answers', 'refuses')],
    'RFC 6455, 4.2.1, 1, and RFC 9110, 2.5: a minor version that is higher is to be read as 1.1. It may be refused with 505.'
  ),
  request(
    'An Origin of another site.',
    requestAnd('Origin: https://example.org'),
    [...informational('answers', 'refuses')],
    'RFC 6455, 4.2.2, 4, and 10.2: which origins a server takes is for it to decide.'
  ),
]

export const REQUESTS: readonly ProbeCase[] = [
  ...probes('27.1', { tests: 'server' }, WRONG),
  ...probes('27.2', { tests: 'server' }, ODD),
  ...probes('27.3', { tests: 'server' }, GOOD),
]
