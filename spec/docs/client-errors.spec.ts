/** The table of errors in docs/guide/client.md: each is provoked, and has what its row says. */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { clientMetrics, connect } from '../../lib/client.ts'
import type { ConnectOptions } from '../../lib/client-options.ts'
import { HandshakeError, type HandshakeErrorCode } from '../../lib/handshake/handshake-error.ts'
import { ConnectionClosedError } from '../../lib/transport/connection-closed-error.ts'
import type { Connection } from '../../lib/transport/connection.ts'
import { failureOf, LOOKUP, open } from '../helpers/client.ts'
import { bytes, closeFrame } from '../helpers/frames.ts'
import { openProxy } from '../helpers/proxy-server.ts'
import { accepting, answering, CERT, RawServer, type Reply } from '../helpers/raw-server.ts'
import { codesIn, pageOf, sectionOf, tableOf } from './page.ts'

interface Row {
  readonly error: string
  readonly codes: readonly string[]
  readonly also: string
}

/** Rows of the table; an empty first cell is as the one above it. */
const ROWS: readonly Row[] = tableOf(sectionOf(pageOf('guide/client.md'), '## Errors'), 'error', '`code`', 'when', 'also has').rows.map(
  ([error = '', codes = '', , also = ''], at, all) => ({
    error: all.slice(0, at + 1).findLast(([name]) => name !== '')?.[0] ?? error,
    codes: codesIn(codes),
    also,
  })
)

/** What connecting to a server that answers so fails with. */
async function failure(t: Test, reply: Reply, options?: ConnectOptions): Promise<Error & Record<string, unknown>> {
  const raw = await RawServer.open(t, reply)
  return failureOf(connect(raw.url, options))
}

const redirecting = (): string => answering(302, { location: '/elsewhere' }, 'Go there.')

/** Ways to fail, by the code; the types have no other. */
const HANDSHAKE_ERRORS: Readonly<Record<HandshakeErrorCode, readonly ((t: Test) => Promise<Error & Record<string, unknown>>)[]>> = {
  'handshake-refused': [t => failure(t, () => answering(404, { 'x-a': 'b' }, 'Nothing here.'))],
  'handshake-invalid': [
    t => failure(t, head => accepting(head).replace(/accept: .*/i, 'accept: wrong')),
    t => failure(t, () => 'SSH-2.0\r\n'),
  ],
  'handshake-timeout': [t => failure(t, () => {}, { timeout: 0 })],
  'redirect-refused': [t => failure(t, redirecting), t => failure(t, redirecting, { redirects: 1 })],
  'proxy-refused': [
    async t => {
      const { url } = await openProxy(t, { authorization: 'Basic other' })
      return failureOf(connect('ws://localhost:1', { proxy: url }))
    },
  ],
}

/** Which of the properties that the table tells of an error has. */
function propertiesOf({ status, headers, body, cause }: Record<string, unknown>): string[] {
  const has = {
    status: status !== undefined,
    headers: Object.keys(headers as object).length > 0,
    body: (body as Buffer).length > 0,
    cause: cause !== undefined,
  }
  return Object.entries(has).flatMap(([name, there]) => (there ? [name] : []))
}

t.test('the table has each error and code that there is, and no others', async t => {
  const codesOf = (error: string): readonly string[] => ROWS.filter(row => row.error === error).flatMap(({ codes }) => codes)
  t.strictSame([...codesOf('`HandshakeError`')].sort(), Object.keys(HANDSHAKE_ERRORS).sort())
  t.strictSame([...new Set(ROWS.map(({ error }) => error))], [
    '`HandshakeError`',
    'the system\'s',
    '`signal.reason`',
    '`ConnectionClosedError`',
    '`MisuseError`',
  ])
})

for (const { codes, also } of ROWS.filter(({ error }) => error === '`HandshakeError`')) {
  const [code = ''] = codes
  t.test(`${code}: when, and what it also has`, async t => {
    const trials = HANDSHAKE_ERRORS[code as HandshakeErrorCode]
    const seen: string[][] = []
    for (const trial of trials) {
      const before = clientMetrics().refused.byReason[code] ?? 0
      const error = await trial(t)
      t.ok(error instanceof HandshakeError && error.code === code, `${error.message}: ${String(error.code)}`)
      t.equal(clientMetrics().refused.byReason[code], before + 1, 'and it is counted')
      seen.push(propertiesOf(error))
    }
    const named = codesIn(also).filter(name => !name.includes(':'))
    t.strictSame([...new Set(seen.flat())].sort(), [...new Set(named)].sort(), also)
    if (code === 'handshake-invalid') t.strictSame(seen, [['status', 'headers'], ['cause']], 'headers if there are any; cause')
    if (code === 'redirect-refused') t.strictSame(seen, [['status', 'headers', 'body'], ['status', 'headers']], also)
  })
}

t.test('the system’s: errors of the network and of TLS keep their own code', async t => {
  const [row] = ROWS.filter(({ error }) => error === 'the system\'s')
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as AddressInfo
  await new Promise(resolve => gone.close(resolve))
  const secure = await RawServer.open(t, accepting, { tls: true })
  const codes = [
    (await failureOf(connect(`ws://127.0.0.1:${port}`))).code,
    (await failureOf(connect('ws://nobody.invalid', { timeout: LOOKUP }), LOOKUP)).code,
    (await failure(t, (_, socket) => void socket.resetAndDestroy())).code,
  ]
  t.ok(row.codes.includes('ECONNREFUSED') && row.codes.includes('ECONNRESET'))
  // Without a network the look-up of a name fails in another way.
  t.strictSame(codes.filter(code => !row.codes.includes(String(code)) && code !== 'EAI_AGAIN'), [])
  t.match((await failureOf(connect(secure.url))).code, /CERT|SIGNATURE/)
  await open(t, secure.url, { tls: { ca: CERT } })
})

t.test('signal.reason: what the signal aborted with', async t => {
  const reason = new Error('changed my mind')
  t.equal(await failure(t, () => {}, { signal: AbortSignal.abort(reason) }), reason)
  const controller = new AbortController()
  t.equal(await failure(t, () => void controller.abort(reason), { signal: controller.signal }), reason, 'during the attempt')
})

t.test('ConnectionClosedError: of calls on a connection that ended, with its code and reason', async t => {
  const [row] = ROWS.filter(({ error }) => error === '`ConnectionClosedError`')
  const raw = await RawServer.open(t, (head, socket) => {
    setImmediate(() => socket.write(bytes(closeFrame(1011, 'why'))))
    return accepting(head)
  })
  const socket = await open(t, raw.url)
  await socket.closed
  const calls: ((socket: Connection) => Promise<unknown>)[] = [
    socket => socket.drained(),
    socket => socket.ping(),
    socket => socket[Symbol.asyncIterator]().next(),
    socket => socket.sendStream(['a']),
  ]
  for (const call of calls) {
    const error = await call(socket).catch((error: unknown) => error)
    t.ok(error instanceof ConnectionClosedError, String(error))
    const { code, ...rest } = error as ConnectionClosedError
    t.equal(code, row.codes.join())
    t.match(rest, { closeCode: 1011, reason: 'why' })
    for (const name of codesIn(row.also)) t.ok(name in (error as object), name)
  }
})

t.test('MisuseError: a wrong call', async t => {
  const [row] = ROWS.filter(({ error }) => error === '`MisuseError`')
  const errors = [
    await failureOf(connect('not a URL')),
    await failureOf(connect('ws://127.0.0.1:1', { timeout: -1 })),
    await failureOf(connect('ws://127.0.0.1:1', { headers: { host: 'a' } })),
  ]
  t.strictSame(errors.map(({ code }) => code), row.codes)
  t.ok(errors.every(({ name }) => name === 'MisuseError'))
})

t.test('body is at most 64 KiB, and headers have names in lower case', async t => {
  t.match(pageOf('guide/client.md'), /`body` is a Buffer of what has come of the answer's body, at most 64 KiB/)
  const error = await failure(t, () => answering(500, { 'X-Upper': 'a' }, 'x'.repeat(70_000)))
  t.equal((error.body as Buffer).length, 64 * 1024)
  t.match(error.headers, { 'x-upper': 'a' })
})
