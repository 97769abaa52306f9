/** The server's answer: RFC 6455, section 4.1 (the last list of the client's requirements), and 11.3.4. */
import t, { type Test } from 'tap'
import type { ClientRequest } from '../../lib/handshake/client-request.ts'
import { readResponse, type ResponseHead } from '../../lib/handshake/client-response.ts'
import { HandshakeError } from '../../lib/handshake/handshake-error.ts'

/** The example of section 1.3. */
const REQUEST: ClientRequest = {
  key: 'dGhlIHNhbXBsZSBub25jZQ==',
  protocols: ['chat', 'superchat'],
  extensions: 'x-one; a=1, x-two',
  rawHeaders: [],
}

/** The lines of a header, instead of those that the good answer has; none where it is missing. */
type Lines = Readonly<Record<string, readonly string[]>>

const GOOD: Lines = {
  Upgrade: ['websocket'],
  Connection: ['Upgrade'],
  'Sec-WebSocket-Accept': ['s3pPLMBiTxaQ9kYGzzhZRbK+xOo='],
}

function response(lines: Lines = {}, parts: Partial<ResponseHead> = {}): ResponseHead {
  const rawHeaders = Object.entries({ ...GOOD, ...lines }).flatMap(([name, values]) => values.flatMap(value => [name, value]))
  return { httpVersionMajor: 1, httpVersionMinor: 1, statusCode: 101, rawHeaders, headers: { a: 'b' }, ...parts }
}

/** What is agreed on, or the rule that is broken. */
function outcome(head: ResponseHead, request: ClientRequest = REQUEST): unknown {
  try {
    return readResponse(head, request)
  } catch (error) {
    if (error instanceof HandshakeError && error.code === 'handshake-invalid') return error.message
    throw error
  }
}

const NOTHING = { protocol: '', extensions: [] }

const RULES = {
  upgrade: 'Upgrade must be websocket',
  connection: 'Connection must name Upgrade',
  accept: 'Sec-WebSocket-Accept must answer the key',
  malformed: 'Sec-WebSocket-Extensions is malformed',
  extensions: 'Sec-WebSocket-Extensions may only name what was offered',
  protocol: 'Sec-WebSocket-Protocol must be one of those offered',
}

/** For each row, a good answer with these lines of the header has that outcome. */
function testHeader(t: Test, name: string, rows: readonly [lines: readonly string[], expected: unknown][]): void {
  for (const [lines, expected] of rows) {
    t.strictSame(outcome(response({ [name]: lines })), expected, `${name}: ${JSON.stringify(lines)}`)
  }
}

t.test('a good answer, in any spelling of its names', async t => {
  t.strictSame(outcome(response()), NOTHING)
  const { rawHeaders } = response()
  for (const spell of ['toLowerCase', 'toUpperCase'] as const) {
    const spelled = rawHeaders.map((text, i) => (i % 2 === 0 ? text[spell]() : text))
    t.strictSame(outcome(response({}, { rawHeaders: spelled })), NOTHING, spell)
  }
})

t.test('1: the status is 101, of HTTP/1.1', async t => {
  for (const statusCode of [undefined, 100, 102, 200, 426]) {
    t.equal(outcome(response({}, { statusCode })), 'the status must be 101', `${statusCode}`)
  }
  for (const [major, minor] of [[1, 0], [0, 9], [2, 0], [0, 1], [2, 1]] as const) {
    const head = response({}, { httpVersionMajor: major, httpVersionMinor: minor })
    t.equal(outcome(head), 'the answer must be HTTP/1.1', `${major}.${minor}`)
  }
})

t.test('2: Upgrade is there once and is websocket, in any case', async t => {
  testHeader(t, 'Upgrade', [
    [['WebSocket'], NOTHING],
    [['WEBSOCKET'], NOTHING],
    [[' websocket\t'], NOTHING],
    [[], RULES.upgrade],
    [[''], RULES.upgrade],
    [['web socket'], RULES.upgrade],
    [['websockets'], RULES.upgrade],
    [['h2c'], RULES.upgrade],
    [['websocket, h2c'], RULES.upgrade],
    [['websocket', 'websocket'], RULES.upgrade],
    [['websocket', 'h2c'], RULES.upgrade],
    [['websocket/13'], RULES.upgrade],
  ])
})

t.test('3: Connection has the token Upgrade, in any case', async t => {
  testHeader(t, 'Connection', [
    [['upgrade'], NOTHING],
    [['UPGRADE'], NOTHING],
    [['keep-alive, Upgrade'], NOTHING],
    [['keep-alive', 'Upgrade'], NOTHING],
    [['Upgrade,close'], NOTHING],
    [[', Upgrade ,'], NOTHING],
    [[], RULES.connection],
    [[''], RULES.connection],
    [['keep-alive'], RULES.connection],
    [['upgrades'], RULES.connection],
    [['Upgrade keep-alive'], RULES.connection],
    [['upgrade;q=1'], RULES.connection],
  ])
})

t.test('4: Sec-WebSocket-Accept is there once and answers the key, to the letter', async t => {
  const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
  testHeader(t, 'Sec-WebSocket-Accept', [
    [[` ${accept}\t`], NOTHING],
    [[], RULES.accept],
    [[''], RULES.accept],
    [[accept.toLowerCase()], RULES.accept],
    [[accept.slice(0, -1)], RULES.accept],
    [[`"${accept}"`], RULES.accept],
    [[REQUEST.key], RULES.accept],
    [['S3pPLMBiTxaQ9kYGzzhZRbK+xOo='], RULES.accept],
    [[accept, accept], RULES.accept],
    [[accept, 'x'], RULES.accept],
    [[`${accept}, ${accept}`], RULES.accept],
  ])
  t.equal(outcome(response(), { ...REQUEST, key: 'AAAAAAAAAAAAAAAAAAAAAA==' }), RULES.accept, 'the answer to another key')
})

t.test('5: no extension but those offered', async t => {
  const one = { name: 'x-one', parameters: [] }
  testHeader(t, 'Sec-WebSocket-Extensions', [
    [['x-one'], { protocol: '', extensions: [one] }],
    [['x-two; b; c="d"'], { protocol: '', extensions: [{ name: 'x-two', parameters: [['b', true], ['c', 'd']] }] }],
    [['x-two, x-one'], { protocol: '', extensions: [{ name: 'x-two', parameters: [] }, one] }],
    [['x-two', 'x-one'], { protocol: '', extensions: [{ name: 'x-two', parameters: [] }, one] }],
    [[''], NOTHING],
    [['x-three'], RULES.extensions],
    [['X-One'], RULES.extensions],
    [['x-one, x-three'], RULES.extensions],
    [['x-one', 'permessage-deflate'], RULES.extensions],
    [['a'], RULES.extensions],
    [['x-one;'], RULES.malformed],
    [['x-one; a="'], RULES.malformed],
    [['x one'], RULES.malformed],
  ])
  const nothingOffered = { ...REQUEST, extensions: '' }
  t.equal(outcome(response({ 'Sec-WebSocket-Extensions': ['permessage-deflate'] }), nothingOffered), RULES.extensions)
  t.strictSame(outcome(response(), nothingOffered), NOTHING)
  const malformedOffer = { ...REQUEST, extensions: '"' }
  t.equal(outcome(response({ 'Sec-WebSocket-Extensions': ['x-one'] }), malformedOffer), RULES.extensions)
})

t.test('6 and 11.3.4: no subprotocol but one of those offered, and once', async t => {
  testHeader(t, 'Sec-WebSocket-Protocol', [
    [['chat'], { protocol: 'chat', extensions: [] }],
    [['superchat'], { protocol: 'superchat', extensions: [] }],
    [[' chat '], { protocol: 'chat', extensions: [] }],
    [[''], RULES.protocol],
    [['Chat'], RULES.protocol],
    [['mqtt'], RULES.protocol],
    [['chat, superchat'], RULES.protocol],
    [['chat', 'chat'], RULES.protocol],
    [['chat', 'superchat'], RULES.protocol],
    [['mqtt', 'chat'], RULES.protocol],
    [['', 'chat'], RULES.protocol],
  ])
  const nothingOffered = { ...REQUEST, protocols: [] }
  t.equal(outcome(response({ 'Sec-WebSocket-Protocol': ['chat'] }), nothingOffered), RULES.protocol)
  t.equal(outcome(response({ 'Sec-WebSocket-Protocol': [''] }), nothingOffered), RULES.protocol)
  t.strictSame(outcome(response(), nothingOffered), NOTHING)
})

t.test('the error has the status and headers of the answer', async t => {
  t.throws(() => readResponse(response({ Upgrade: [] }), REQUEST), { name: 'HandshakeError', status: 101, headers: { a: 'b' } })
  t.throws(() => readResponse(response({}, { statusCode: undefined }), REQUEST), { name: 'HandshakeError', status: 0 })
})
