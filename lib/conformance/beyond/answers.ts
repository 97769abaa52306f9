/** Group 28: answers that a client has to fail, and such as it has to take (RFC 6455, section 4.1). */
import type { Allowed, ProbeCase } from '../case.ts'
import { ANSWER, head } from '../wire/handshake-text.ts'
import { answers, closes, ENDS, GOES_ON, informational, nonStrict, probes, WENT_ON, type Draft } from './build.ts'

const ACCEPT = 'Sec-WebSocket-Accept'
const EXTENSIONS = 'Sec-WebSocket-Extensions'
const MANY = Array.from({ length: 2000 }, (_, number) => `X-Header-${number}: value`)

/** The client ends the connection, and has sent no echo. */
const FAILED = closes([1002])
const TAKEN = answers(WENT_ON)
const CAREFUL: readonly Allowed[] = [...FAILED, ...informational('answers')]

function answer(
  sends: string,
  handshake: string,
  allowed: readonly Allowed[],
  rule: string,
  more: Partial<ProbeCase> = {}
): Draft {
  return { sends: `${sends} A text message follows.`, handshake, steps: [GOES_ON], allowed, rule, ...more }
}

function answerWith(name: string, ...lines: readonly string[]): string {
  return head(ANSWER.flatMap(line => (line.startsWith(name) ? lines : [line])))
}

function answerAnd(...lines: readonly string[]): string {
  return head([...ANSWER, ...lines])
}

const STATUS = 'RFC 6455, 4.1, 1: with any other status than 101 there is no connection.'
const UPGRADE = 'RFC 6455, 4.1, 2: without an Upgrade of websocket the client has to fail the connection.'
const CONNECTION = 'RFC 6455, 4.1, 3: without the token upgrade in Connection the client has to fail the connection.'
const ACCEPTS = 'RFC 6455, 4.1, 4: without the one right Sec-WebSocket-Accept the client has to fail the connection.'
const EXTENSION = 'RFC 6455, 4.1, 5: an extension that was not asked for fails the connection.'
const PROTOCOL = 'RFC 6455, 4.1, 6: a subprotocol that was not asked for fails the connection.'
const SYNTAX =
  'RFC 9112, 2.2 and 5: a head has lines that end with CR LF, each with a name, a colon right behind it and a value without control characters.'
const LIMITS = 'RFC 9110, 2.3 and 4.1: a client may give up on what is too long; whether it does is left open.'

const WRONG: readonly Draft[] = [
  ...['200 OK', '204 No Content', '400 Bad Request', '503 Service Unavailable', '102 Processing'].map(status =>
    answer(
      `The status ${status}, and all the headers of an upgrade.`,
      answerWith('HTTP', `HTTP/1.1 ${status}`, 'Content-Length: 0'),
      [...FAILED, ...informational('waits')],
      STATUS
    )
  ),
  answer(
    'HTTP/1.0 and 101.',
    answerWith('HTTP', 'HTTP/1.0 101 Switching Protocols'),
    CAREFUL,
    'RFC 9110, 15.2 and 7.8: HTTP/1.0 has no 101. What a client does about it is left open.'
  ),
  answer('A status line that is none.', answerWith('HTTP', 'WS/1.1 101 Switching Protocols'), FAILED, STATUS),
  answer('No Upgrade.', answerWith('Upgrade'), FAILED, UPGRADE),
  answer('Upgrade: h2c.', answerWith('Upgrade', 'Upgrade: h2c'), FAILED, UPGRADE),
  answer('Upgrade: websockets.', answerWith('Upgrade', 'Upgrade: websockets'), FAILED, UPGRADE),
  answer('No Connection.', answerWith('Connection'), FAILED, CONNECTION),
  answer('Connection: close.', answerWith('Connection', 'Connection: close'), FAILED, CONNECTION),
  answer('No Sec-WebSocket-Accept.', answerWith(ACCEPT), FAILED, ACCEPTS),
  answer('An empty Sec-WebSocket-Accept.', answerWith(ACCEPT, `${ACCEPT}:`), FAILED, ACCEPTS),
  answer('The answer to another key.', answerWith(ACCEPT, `${ACCEPT}: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`), FAILED, ACCEPTS),
  answer('The key itself as the answer.', answerWith(ACCEPT, `${ACCEPT}: {key}`), FAILED, ACCEPTS),
  answer('The right answer in quotes.', answerWith(ACCEPT, `${ACCEPT}: "{accept}"`), FAILED, ACCEPTS),
  answer(
    'The right answer, and a wrong one.',
    answerAnd(`${ACCEPT}: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`),
    FAILED,
    'RFC 6455, 4.1, 4, and 11.3.3: Sec-WebSocket-Accept must not be there more than once.'
  ),
  answer(
    'A wrong answer, and the right one.',
    answerWith(ACCEPT, `${ACCEPT}: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`, `${ACCEPT}: {accept}`),
    FAILED,
    'RFC 6455, 4.1, 4, and 11.3.3: Sec-WebSocket-Accept must not be there more than once.'
  ),
  answer('A subprotocol that was not offered.', answerAnd('Sec-WebSocket-Protocol: x-none'), FAILED, PROTOCOL),
  answer('An empty subprotocol.', answerAnd('Sec-WebSocket-Protocol:'), CAREFUL, PROTOCOL),
  answer('An extension that was not offered.', answerAnd(`${EXTENSIONS}: x-none`), FAILED, EXTENSION),
  answer(
    'The extension permessage-deflate, and one that was not offered.',
    answerAnd(`${EXTENSIONS}: permessage-deflate, x-none`),
    FAILED,
    EXTENSION
  ),
  answer(
    'Extensions that are no list of tokens.',
    answerAnd(`${EXTENSIONS}: ;=`),
    FAILED,
    'RFC 6455, 9.1: a value of Sec-WebSocket-Extensions that does not keep to the grammar fails the connection.'
  ),
]

const ODD: readonly Draft[] = [
  answer('A space before a colon.', answerWith('Upgrade', 'Upgrade : websocket'), CAREFUL, SYNTAX),
  answer('A NUL in a value.', answerAnd('X-Header: a\0b'), CAREFUL, SYNTAX),
  answer('A bare CR in a value.', answerAnd('X-Header: a\rb'), CAREFUL, SYNTAX),
  answer('A line without a colon.', answerAnd('X-Header'), CAREFUL, SYNTAX),
  answer(
    'A line that is folded.',
    answerAnd('X-Header: a', ' b'),
    informational('answers', 'closes'),
    'RFC 9112, 5.2: folded lines are deprecated; a client reads one as if it had spaces. Many fail it instead.'
  ),
  answer('2,000 headers.', answerAnd(...MANY), [...FAILED, ...informational('answers')], LIMITS),
  answer(
    'A header of 100,000 bytes.',
    answerAnd(`X-Header: ${'a'.repeat(100_000)}`),
    [...FAILED, ...informational('answers')],
    LIMITS
  ),
  answer(
    'The end of TCP within the head.',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: web',
    ENDS,
    'RFC 9112, 8: a head that is not complete is no answer.',
    { steps: [{ do: 'end' }] }
  ),
]

const CASES =
  'RFC 9110, 5.1 and 7.8, and RFC 6455, 4.1: names of headers, and the tokens in Upgrade and Connection, are the same in any case of letters.'
const SPACES = 'RFC 9112, 5.1: there may be spaces and tabs around a value, or none; they are no part of it.'
const EARLIER =
  'RFC 9110, 15.2: a client has to be able to read one or more 1xx before the answer proper. A 100 that nobody asked for may be ignored.'

const GOOD: readonly Draft[] = [
  answer(
    'All names in lower case.',
    answerAnd().replace(/^[\w-]+(?=:)/gm, name => name.toLowerCase()),
    TAKEN,
    CASES
  ),
  answer(
    'Upgrade: WebSocket, Connection: UPGRADE.',
    answerWith('Upgrade', 'Upgrade: WebSocket').replace('Connection: Upgrade', 'Connection: UPGRADE'),
    TAKEN,
    CASES
  ),
  answer(
    'Connection: keep-alive, Upgrade.',
    answerWith('Connection', 'Connection: keep-alive, Upgrade'),
    TAKEN,
    'RFC 9110, 7.6.1: Connection is a list.'
  ),
  answer(
    'Another reason phrase.',
    answerWith('HTTP', 'HTTP/1.1 101 Web Socket Protocol Handshake'),
    TAKEN,
    'RFC 9112, 4: a client should ignore the reason phrase.'
  ),
  answer(
    'No reason phrase.',
    answerWith('HTTP', 'HTTP/1.1 101 '),
    TAKEN,
    'RFC 9112, 4: a client should ignore the reason phrase.'
  ),
  answer('No space behind any colon.', answerAnd().replaceAll(': ', ':'), TAKEN, SPACES),
  answer('Spaces around all values.', answerAnd().replace(/: (.*)/g, ':   $1  '), TAKEN, SPACES),
  answer(
    'Tabs around all values, but none behind Connection.',
    answerAnd()
      .replace(/: (.*)/g, ':\t$1\t')
      .replace('Upgrade\t\r', 'Upgrade\r'),
    TAKEN,
    SPACES
  ),
  answer(
    'Headers that nobody knows, and cookies.',
    answerAnd('X-Header: value', 'Set-Cookie: a=b', 'Set-Cookie: c=d', 'Date: Thu, 01 Jan 1970 00:00:00 GMT'),
    TAKEN,
    'RFC 6455, 4.2.2: an answer may have other headers too.'
  ),
  answer(
    'Content-Length: 0.',
    answerAnd('Content-Length: 0'),
    [...TAKEN, ...informational('closes')],
    'RFC 9110, 8.6: a 101 must not have Content-Length. What a client does about it is left open.'
  ),
  answer(
    'A 100 before the 101.',
    `HTTP/1.1 100 Continue\r\n\r\n${answerAnd()}`,
    [...TAKEN, nonStrict('closes')],
    EARLIER
  ),
  answer(
    'A 103 with headers before the 101.',
    `HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n${answerAnd()}`,
    [...TAKEN, nonStrict('closes')],
    EARLIER
  ),
]

export const ANSWERS: readonly ProbeCase[] = [
  ...probes('28.1', { tests: 'client', early: true }, WRONG),
  ...probes('28.2', { tests: 'client', early: true }, ODD),
  ...probes('28.3', { tests: 'client', early: true }, GOOD),
]
