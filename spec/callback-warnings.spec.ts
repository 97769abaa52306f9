/** Without an `error` callback: a warning that names the callback, the peer, and what became of the connection. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { connect } from '../lib/client.ts'
import * as kore from '../lib/kore.ts'
import { WebSocketServer } from '../lib/server.ts'
import type { ServerOptions } from '../lib/server-options.ts'
import type { Connection } from '../lib/transport/connection.ts'
import { failureOf, open } from './helpers/client.ts'
import { within } from './helpers/journal.ts'

type Warning = Error & { readonly code?: string; readonly detail?: string }

/** Of ours; the test runner causes others. */
function nextWarning(t: Test): Promise<Warning> {
  return new Promise(resolve => {
    const onWarning = (warning: Warning): void => {
      if (warning.code?.startsWith('KORE_WS') === true) resolve(warning)
    }
    process.on('warning', onWarning)
    t.teardown(() => process.off('warning', onWarning))
  })
}

async function listening(t: Test, options: ServerOptions<unknown>): Promise<string> {
  const server = new WebSocketServer({ message() {}, ...options })
  t.teardown(() => server.close({ timeout: 0 }))
  const { port } = (await server.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo
  return `ws://127.0.0.1:${port}`
}

function thrower(): never {
  throw new TypeError('no such user')
}

/** Until `drain` is due. */
function fill(socket: Connection<unknown>): void {
  while (socket.send(Buffer.alloc(70_000)));
}

const CLOSED = 'its connection with 127.0.0.1 is closed with 1011'
const REFUSED = 'the handshake from 127.0.0.1 was answered with 500'

/** What has to happen for a callback to be called, and how the warning ends. */
const OF_SERVER: readonly [callback: 'open' | 'message' | 'pong' | 'close' | 'drain' | 'accept' | 'origins', outcome: string][] = [
  ['open', CLOSED],
  ['message', CLOSED],
  ['pong', CLOSED],
  ['drain', CLOSED],
  ['close', 'its connection with 127.0.0.1 was over'],
  ['accept', REFUSED],
  ['origins', REFUSED],
]

for (const [callback, outcome] of OF_SERVER) {
  for (const rejects of [false, true]) {
    if (rejects && callback === 'origins') continue
    t.test(`a server's ${callback} that ${rejects ? 'rejects' : 'throws'}`, async t => {
      const warned = nextWarning(t)
      const fails = rejects ? async (): Promise<never> => thrower() : thrower
      const drains = callback === 'drain' && { open: fill }
      const url = await listening(t, { ...drains, [callback]: fails })
      if (callback === 'accept' || callback === 'origins') {
        const origin = callback === 'origins' ? 'http://a.example' : undefined
        t.match(await failureOf(connect(url, { origin })), { status: 500 })
      } else {
        const client = await open(t, url, { message() {} })
        if (callback === 'message') client.send('hello')
        if (callback === 'pong') client.pong()
        if (callback === 'close') client.close(1000)
      }
      const warning = await within(warned, 'a warning')
      t.equal(warning.message, `the callback ${callback} failed: TypeError: no such user; ${outcome}`)
      t.equal(warning.name, 'KoreWsWarning')
      t.equal(warning.code, 'KORE_WS_CALLBACK')
      t.match(warning.cause, { name: 'TypeError', message: 'no such user' })
      t.match(warning.detail, /^TypeError: no such user\n +at (?:Object\.)?thrower.*callback-warnings\.spec/)
    })
  }
}

t.test('what accept answers wrongly', async t => {
  const warned = nextWarning(t)
  const url = await listening(t, { accept: () => ({ user: 'ann' }) as object })
  t.match(await failureOf(connect(url)), { status: 500 })
  t.match((await within(warned, 'a warning')).message, /^the callback accept failed: MisuseError: accept: user is no part .*; the handshake from 127\.0\.0\.1 was answered with 500$/)
})

t.test('a client: message', async t => {
  const warned = nextWarning(t)
  const url = await listening(t, { open: socket => void socket.send('hello') })
  await open(t, url, { message: thrower })
  t.equal((await within(warned, 'a warning')).message, `the callback message failed: TypeError: no such user; ${CLOSED}`)
})

t.test("Kore's callbacks, by Kore's names", async t => {
  for (const [name, outcome] of [['onconnect', CLOSED], ['onmessage', CLOSED], ['ondisconnect', 'its connection was over']] as const) {
    const warned = nextWarning(t)
    const http = createServer()
    const handler = (request: Parameters<typeof kore.handshake>[0]): number => {
      const callbackOf = (each: string): typeof thrower | null => (each === name ? thrower : null)
      kore.handshake(request, callbackOf('onconnect'), callbackOf('onmessage'), callbackOf('ondisconnect'))
      return kore.KORE_RESULT_OK
    }
    kore.attach(http, { '/': handler })
    t.teardown(() => void http.close())
    await new Promise<void>(resolve => void http.listen(0, '127.0.0.1', resolve))
    const client = await open(t, `ws://127.0.0.1:${(http.address() as AddressInfo).port}`, { message() {} })
    if (name === 'onmessage') client.send('hello')
    if (name === 'ondisconnect') client.close(1000)
    t.equal((await within(warned, 'a warning')).message, `the callback ${name} failed: TypeError: no such user; ${outcome}`)
  }
})

t.test('values that are no errors, and a warning that nobody can print, do not end the process', async t => {
  for (const [value, shown] of [[undefined, 'undefined'], ['text', '"text"'], [Object.create(null), 'what has no text'], [Symbol('x'), 'Symbol(x)']] as const) {
    const warned = nextWarning(t)
    const url = await listening(t, { open() { throw value } })
    await open(t, url, { message() {} })
    const { message, detail, cause } = await within(warned, 'a warning')
    t.equal(message, `the callback open failed: ${shown}; ${CLOSED}`)
    t.equal(detail, undefined)
    t.equal(cause, value)
  }
})
