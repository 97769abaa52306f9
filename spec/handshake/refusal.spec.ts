/** Refused handshakes: RFC 6455, sections 4.2.2 and 4.4; statuses: RFC 9110, section 15. */
import t from 'tap'
import { REFUSALS, Refusal, refuse, type RefuseOptions } from '../../lib/handshake/refusal.ts'
import { show } from '../../lib/protocol/misuse-error.ts'

const INVALID_ARGUMENT = { name: 'MisuseError', code: 'invalid-argument' }

t.test('4.2.2: what the handshake itself refuses with', async t => {
  const table: Record<keyof typeof REFUSALS, [status: number, headers: object, body: RegExp]> = {
    request: [400, {}, /HTTP/],
    body: [400, {}, /body/],
    host: [400, {}, /Host/],
    method: [405, { allow: 'GET' }, /GET/],
    upgrade: [426, { upgrade: 'websocket' }, /WebSocket/],
    version: [426, { upgrade: 'websocket', 'sec-websocket-version': '13' }, /13/],
    key: [400, {}, /Sec-WebSocket-Key/],
    protocol: [400, {}, /Sec-WebSocket-Protocol/],
    extensions: [400, {}, /Sec-WebSocket-Extensions/],
    path: [404, {}, /path/],
    origin: [403, {}, /origin/],
    headSize: [431, {}, /more bytes, or lines/],
    timeout: [408, {}, /long/],
    failure: [500, {}, /server/],
    closing: [503, {}, /closing/],
    address: [429, { 'retry-after': '10' }, /address/],
    busy: [503, { 'retry-after': '10' }, /too much/],
  }
  for (const [name, [status, headers, body]] of Object.entries(table)) {
    const refusal = REFUSALS[name as keyof typeof REFUSALS]
    t.ok(refusal instanceof Refusal, name)
    t.equal(refusal.status, status, `${name}: status`)
    t.strictSame(refusal.headers, headers, `${name}: headers`)
    t.match(refusal.body, body, `${name}: the body says why`)
    t.match(refusal.body, /^[ -~]+\.\n$/, `${name}: in one sentence`)
  }
})

t.test('refuse() makes a refusal', async t => {
  const refusal = refuse(401, { headers: { 'www-authenticate': 'Bearer' }, body: 'Who are you?' })
  t.ok(refusal instanceof Refusal)
  t.equal(refusal.status, 401)
  t.strictSame(refusal.headers, { 'www-authenticate': 'Bearer' })
  t.equal(refusal.body, 'Who are you?')
  t.strictSame({ ...refuse(403) }, { status: 403, headers: {}, body: '' }, 'with no options')
  const explicit = refuse(403, { headers: undefined, body: undefined })
  t.strictSame({ ...explicit }, { status: 403, headers: {}, body: '' }, 'undefined is the default')
})

t.test('refuse(): a status is a whole number from 300 to 599', async t => {
  for (const status of [300, 308, 404, 599]) t.equal(refuse(status).status, status)
  const numbers = [0, 100, 101, 200, 299, 600, 1000, -404, 404.5, NaN, Infinity]
  for (const status of [...numbers, '404', null, undefined, {}, 404n, Symbol('a')]) {
    const message = `status must be a whole number from 300 to 599, and not ${show(status)}`
    t.throws(() => refuse(status as number), { ...INVALID_ARGUMENT, message }, String(status))
  }
})

t.test('refuse(): a body is a string', async t => {
  for (const body of [null, 1, {}, [], Buffer.from('a'), () => 'a']) {
    const options = { body } as unknown as RefuseOptions
    t.throws(() => refuse(403, options), { ...INVALID_ARGUMENT, message: /^body must be a string/ })
  }
  t.equal(refuse(403, { body: '' }).body, '')
})

t.test('refuse(): options are an object', async t => {
  for (const options of [null, 1, 'body']) {
    const misuse = { ...INVALID_ARGUMENT, message: 'options must be an object' }
    t.throws(() => refuse(403, options as unknown as RefuseOptions), misuse)
  }
})

t.test('refuse(): headers that HTTP cannot carry, or that frame the answer, are a misuse', async t => {
  const misuse = { name: 'MisuseError', code: 'invalid-header' }
  const bad: RefuseOptions['headers'][] = [
    { 'x-a': 'a\r\nb: c' },
    { 'x a': 'a' },
    { connection: 'keep-alive' },
    { Connection: 'keep-alive' },
    { 'Content-Length': '0' },
    { 'TRANSFER-ENCODING': 'chunked' },
    { 'set-cookie': ['a=1', 'b=\n'] },
  ]
  for (const headers of bad) t.throws(() => refuse(403, { headers }), misuse, JSON.stringify(headers))
  const headers = { 'Content-Type': 'text/html', upgrade: 'websocket', 'set-cookie': ['a=1', 'b=2'] }
  t.strictSame(refuse(426, { headers }).headers, headers, 'others are kept')
})
