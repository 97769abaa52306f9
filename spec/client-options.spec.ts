import { Agent } from 'node:http'
import t from 'tap'
import { checkConnectOptions, type ConnectOptions } from '../lib/client-options.ts'
import { resolveCompression } from '../lib/deflate/compression.ts'
import { resolveLimits, SERVER_LIMITS } from '../lib/limits.ts'
import { resolveHeartbeat } from '../lib/transport/heartbeat.ts'

const NAMES = [
  ...['message', 'drain', 'pong', 'close', 'error', 'protocols', 'headers', 'origin', 'signal', 'timeout', 'limits', 'slowReceivers'],
  ...['compression', 'heartbeat', 'tls', 'agent', 'socketPath', 'proxy', 'redirects'],
]

t.test('every option may be left out, or be undefined: that is its default', async t => {
  const defaults = {
    message: undefined,
    drain: undefined,
    pong: undefined,
    close: undefined,
    error: undefined,
    protocols: [],
    headers: {},
    origin: undefined,
    signal: undefined,
    timeout: 10_000,
    limits: resolveLimits(),
    slowReceivers: undefined,
    compression: resolveCompression(true),
    heartbeat: resolveHeartbeat(),
    tls: undefined,
    agent: undefined,
    socketPath: undefined,
    proxy: undefined,
    redirects: 0,
  }
  t.strictSame(checkConnectOptions({}), defaults)
  t.strictSame(checkConnectOptions(Object.fromEntries(NAMES.map(name => [name, undefined]))), defaults)
})

t.test('every option, as it may be', async t => {
  const callback = (): void => {}
  const { signal } = new AbortController()
  const agent = new Agent()
  const headers = { a: 'b', c: ['d'] }
  const protocols = ['chat', 'v2.chat']
  const tls = { ca: 'x', servername: 'a' }
  const given: ConnectOptions = {
    ...{ message: callback, drain: callback, pong: callback, close: callback, error: callback },
    ...{ protocols, headers, origin: 'null', signal, timeout: Infinity, limits: { messageBytes: 5 }, tls, redirects: 3 },
    ...{ compression: false, heartbeat: false, slowReceivers: { send: 'wait', broadcast: 'drop-newest' } },
  }
  const plan = checkConnectOptions(given)
  const absent = { agent: undefined, socketPath: undefined, proxy: undefined, compression: undefined, heartbeat: undefined }
  t.strictSame(plan, { ...given, limits: resolveLimits({ messageBytes: 5 }), ...absent })
  t.match(checkConnectOptions({ compression: 'dedicated', heartbeat: { timeout: 5 } }), {
    compression: { mode: 'dedicated' },
    heartbeat: { interval: 30_000, timeout: 5 },
  })
  for (const name of ['protocols', 'headers', 'tls'] as const) t.not(plan[name], given[name], `${name}: one of its own`)
  t.strictSame(checkConnectOptions({ protocols: 'chat' }).protocols, ['chat'])
  t.equal(checkConnectOptions({ agent }).agent, agent)
  const alike = { addRequest() {} } as unknown as Agent
  t.equal(checkConnectOptions({ agent: alike }).agent, alike)
  t.equal(checkConnectOptions({ socketPath: '/a', tls }).socketPath, '/a')
  t.equal(checkConnectOptions({ redirects: Infinity, timeout: 0 }).redirects, Infinity)
  t.type(checkConnectOptions({ proxy: 'http://a', tls }).proxy, 'function')
})

t.test('each option, wrong: misuse that names it', async t => {
  const notAFunction = [null, 5, 'text', {}, true]
  const notAmounts = [null, -1, 1.5, NaN, '5', {}, 2 ** 53]
  const wrong: Readonly<Record<string, readonly unknown[]>> = {
    compression: [null, 5, 'zip', { mode: 'none' }, { threshold: -1 }, { no: 1 }],
    heartbeat: [null, true, 5, { interval: 0 }, { timeout: -1 }, { no: 1 }],
    message: notAFunction,
    drain: notAFunction,
    pong: notAFunction,
    close: notAFunction,
    error: notAFunction,
    protocols: [null, 5, {}, '', 'a b', 'a,b', [''], ['a b'], ['a', 'ü'], [5], [undefined], ['a', 'b', 'a']],
    origin: [null, '', 5, {}, 'a\r\nb', 'a\0'],
    signal: [null, 5, {}, { aborted: false }, new AbortController()],
    timeout: notAmounts,
    redirects: notAmounts,
    limits: [null, 5, 'text', { no: 1 }, { messageBytes: -1 }, ...SERVER_LIMITS.flatMap(name => [{ [name]: 5 }, { [name]: Infinity }])],
    slowReceivers: [null, 5, 'close', { send: 'drop' }, { broadcast: 'wait' }, { no: 'close' }],
    tls: [null, 5, 'text', { socket: {} }, { host: 'a' }, { port: 1 }, { path: '/a' }, { ALPNProtocols: ['h2'] }],
    agent: [null, 5, 'text', {}, false],
    socketPath: [null, '', 5, {}],
    proxy: [null, 5, '', 'a', 'socks5://a', {}, { url: 5 }, { url: 'ws://a' }, { url: 'http://a', tls: 5 }, { url: 'http://a', no: 1 }],
  }
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const label = `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`
      const expected = { name: 'MisuseError', code: 'invalid-option', message: new RegExp(`^${name}\\b`) }
      t.throws(() => checkConnectOptions({ [name]: value }), expected, label)
    }
  }
  for (const headers of [null, 5, [], { 'a b': 'c' }, { a: 5 }, { a: 'b\n' }, { Host: 'a' }, { upgrade: 'a' }]) {
    t.throws(() => checkConnectOptions({ headers } as unknown as ConnectOptions), { code: 'invalid-header' }, JSON.stringify(headers))
  }
  const proxy = { url: 'http://a', headers: { host: 'a' } }
  t.throws(() => checkConnectOptions({ proxy }), { code: 'invalid-header' })
})

t.test('limits of servers may be undefined', async t => {
  for (const name of SERVER_LIMITS) {
    t.strictSame(checkConnectOptions({ limits: { [name]: undefined } as object }).limits, resolveLimits())
    const message = new RegExp(`^limits\\.${name} is for servers`)
    t.throws(() => checkConnectOptions({ limits: { [name]: 1 } as object }), { code: 'invalid-option', message })
  }
})

t.test('options that exclude each other', async t => {
  const values = { agent: new Agent(), tls: {}, socketPath: '/a', proxy: 'environment' } as const
  const pairs = [['agent', 'tls'], ['agent', 'socketPath'], ['agent', 'proxy'], ['socketPath', 'proxy']] as const
  for (const [one, other] of pairs) {
    const message = `${one} can't be given with ${other}`
    const options = { [one]: values[one], [other]: values[other] }
    t.throws(() => checkConnectOptions(options), { code: 'invalid-option', message })
    t.doesNotThrow(() => checkConnectOptions({ ...options, [one]: undefined }))
    t.doesNotThrow(() => checkConnectOptions({ ...options, [other]: undefined }))
  }
})

t.test('a name that is no option is misuse that lists those there are', async t => {
  const message = `whatever is no option; there are ${NAMES.join(', ')}`
  t.throws(() => checkConnectOptions({ whatever: 5 } as object), { name: 'MisuseError', code: 'invalid-option', message })
})

t.test('options that are no object are misuse', async t => {
  for (const value of [null, 5, 'text']) {
    t.throws(() => checkConnectOptions(value as ConnectOptions), { name: 'MisuseError', code: 'invalid-option' }, String(value))
  }
})
