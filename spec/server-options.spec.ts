import t from 'tap'
import { resolveLimits } from '../lib/limits.ts'
import { checkOptions, type ServerOptions } from '../lib/server-options.ts'
import { WebSocketServer } from '../lib/server.ts'
import { TrustedProxies } from '../lib/transport/client-address.ts'
import { FakeBus } from './helpers/fake-bus.ts'

const NAMES = [
  ...(['accept', 'open', 'message', 'drain', 'pong', 'close', 'error', 'path', 'origins', 'protocols', 'limits'] as const),
  ...(['slowReceivers', 'compression', 'heartbeat', 'bus', 'name', 'trustProxy'] as const),
] as const

t.test('every option may be left out, or be undefined: that is its default', async t => {
  const defaults = { protocols: [], limits: resolveLimits(), slowReceivers: undefined, compression: undefined }
  t.match(checkOptions({}), defaults)
  t.match(checkOptions(Object.fromEntries(NAMES.map(name => [name, undefined]))), defaults)
  t.equal(checkOptions({}).origins, undefined)
})

t.test('every option, as it may be', async t => {
  const callback = (): void => {}
  const options: ServerOptions<unknown> = {
    accept: callback,
    open: callback,
    message: callback,
    drain: callback,
    close: callback,
    error: callback,
    path: '/chat',
    origins: ['https://Example.org:443'],
    protocols: ['chat', 'v2.chat'],
    limits: { messageBytes: 5, idleTime: Infinity },
    slowReceivers: { send: 'wait', broadcast: 'close' },
    compression: { mode: 'dedicated', threshold: 0, windowBits: 9 },
    heartbeat: { interval: 5 },
    bus: new FakeBus().end(),
    trustProxy: false,
  }
  const checked = checkOptions(options)
  t.strictSame(checked, {
    ...options,
    origins: ['https://example.org'],
    limits: resolveLimits({ messageBytes: 5 }),
    slowReceivers: { send: 'wait', broadcast: undefined },
    compression: { mode: 'dedicated', threshold: 0, windowBits: 9, level: 1, memLevel: 5 },
    heartbeat: { interval: 5, timeout: 10_000 },
    trustProxy: undefined,
    countsNear: false,
  })
  const trustProxy = { header: 'X-Forwarded-For', proxies: ['loopback'] }
  t.type(checkOptions({ trustProxy }).trustProxy, TrustedProxies)
  t.equal(checkOptions({ limits: { connectionsPerAddress: 1000 } }).countsNear, true, 'a number that is written counts')
  t.equal(checkOptions({ limits: { connectionsPerAddress: undefined } }).countsNear, false)
  t.not(checked.protocols, options.protocols, 'a list of its own')
  for (const origins of ['any', () => true, []] as const) t.strictSame(checkOptions({ origins }).origins, origins)
})

t.test('each option, wrong: misuse that names it', async t => {
  const notAFunction = [null, 5, 'text', {}, true]
  const wrong: Readonly<Record<(typeof NAMES)[number], readonly unknown[]>> = {
    accept: notAFunction,
    open: notAFunction,
    message: notAFunction,
    drain: notAFunction,
    pong: notAFunction,
    close: notAFunction,
    error: notAFunction,
    path: [null, '', 'chat', '/chat?a', '?', 5, ['/chat'], {}],
    origins: [null, 'none', '*', 'https://example.org', 5, {}, [5], ['*'], ['https://example.org/path'], ['example.org']],
    protocols: [null, 'chat', 5, {}, [5], [''], ['a b'], ['a,b'], ['chat', 'ü'], [undefined]],
    limits: [null, 5, 'text', { messageBytes: -1 }, { messageBytes: '5' }, { idleTime: NaN }, { closingTime: 1.5 }, { no: 1 }],
    slowReceivers: [null, 5, 'close', { send: 'drop' }, { send: null }, { broadcast: 'wait' }, { no: 'close' }],
    compression: [null, 5, 'zip', '', { mode: 'none' }, { threshold: -1 }, { level: 10 }, { windowBits: 9 }, { no: 1 }],
    heartbeat: [null, true, 5, 'text', { interval: 0 }, { timeout: -1 }, { interval: NaN }, { no: 1 }],
    bus: [null, 5, 'text', {}, { publish() {} }, { subscribe() {} }],
    name: [null, 5, {}, true],
    trustProxy: [null, true, 5, 'loopback', {}, { header: 'forwarded' }, { proxies: ['loopback'] }],
  }
  for (const name of NAMES) {
    for (const value of wrong[name]) {
      const label = `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`
      const expected = { name: 'MisuseError', code: 'invalid-option', message: new RegExp(`^${name}\\b`) }
      t.throws(() => new WebSocketServer({ [name]: value }), expected, label)
    }
  }
})

t.test('a name that is no option is misuse that lists those there are', async t => {
  const message = `whatever is no option; there are ${NAMES.join(', ')}`
  t.throws(() => checkOptions({ whatever: 5 } as ServerOptions<unknown>), { name: 'MisuseError', code: 'invalid-option', message })
})

t.test('options that are no object are misuse', async t => {
  for (const value of [null, 5, 'text']) {
    t.throws(() => new WebSocketServer(value as ServerOptions<unknown>), { name: 'MisuseError', code: 'invalid-option' }, String(value))
  }
})
