/** The tables of docs/guide/client.md, but for its errors: options and their defaults, headers, proxies, reconnecting, the class. */
import t, { type Test } from 'tap'
import { connect } from '../../lib/client.ts'
import { checkConnectOptions, type ConnectPlan } from '../../lib/client-options.ts'
import { resolveCompression } from '../../lib/deflate/compression.ts'
import { isRedirect } from '../../lib/handshake/client-redirect.ts'
import { checkRequestHeaders, formatRequest } from '../../lib/handshake/client-request.ts'
import { isFinal, retryAfter } from '../../lib/handshake/client-retry.ts'
import { readTarget } from '../../lib/handshake/client-target.ts'
import { HandshakeError } from '../../lib/handshake/handshake-error.ts'
import { resolveLimits } from '../../lib/limits.ts'
import { MisuseError } from '../../lib/protocol/misuse-error.ts'
import { reconnectingBy, type Clock, type ReconnectingOptions } from '../../lib/reconnecting.ts'
import { isRegularEnd } from '../../lib/transport/connection-closed-error.ts'
import { resolveHeartbeat } from '../../lib/transport/heartbeat.ts'
import { MessageIterator } from '../../lib/transport/message-iterator.ts'
import { proxyFromEnvironment } from '../../lib/transport/proxy-environment.ts'
import { resolveSlowReceivers } from '../../lib/transport/slow-receiver.ts'
import { WebSocket } from '../../lib/websocket.ts'
import { bytes, frame } from '../helpers/frames.ts'
import { eventually, within } from '../helpers/journal.ts'
import { accepting, answering, headersOf, RawServer } from '../helpers/raw-server.ts'
import { amountIn, amountsIn, codesIn, pageOf, sectionOf, tableOf } from './page.ts'

const PAGE = pageOf('guide/client.md')
const OPTIONS = tableOf(sectionOf(PAGE, '## Options'), 'option', 'default').rows
const [TEXT, RESERVED_OPCODE] = ['81', '83']

/** `drain(socket)` is the option `drain`. */
function optionIn(cell: string): string {
  return codesIn(cell).join().replace(/\(.*/, '')
}

/** The options that the message for an unknown one lists. */
function optionsOfConnect(): string[] {
  try {
    checkConnectOptions({ nothing: 1 } as object)
  } catch (error) {
    return (/there are (.*)$/.exec((error as MisuseError).message)?.[1] ?? '').split(', ')
  }
  return []
}

/** Numbers such as statuses, in a sentence of the page. */
function numbersIn(sentence: RegExp, page = PAGE): number[] {
  return amountsIn((sentence.exec(page)?.[1] ?? '').replaceAll(',', ' '))
}

t.test('the table of options has each that there is, and no others', async t => {
  t.ok(optionsOfConnect().includes('redirects'), 'the options are found')
  t.strictSame(OPTIONS.map(([name = '']) => optionIn(name)).sort(), optionsOfConnect().sort())
})

t.test('each default is the one in force', async t => {
  const plan = checkConnectOptions({})
  const expected: Readonly<Record<string, (cell: string) => unknown>> = {
    timeout: cell => amountIn(cell),
    redirects: cell => amountIn(cell),
    limits: cell => (cell.startsWith('as the server\'s') ? resolveLimits() : undefined),
    slowReceivers: cell => (cell === 'as the server\'s' ? resolveSlowReceivers() : 'others'),
    compression: cell => resolveCompression(codesIn(cell).join() === 'true'),
    heartbeat: cell => {
      const [interval, timeout] = amountsIn(cell)
      return resolveHeartbeat({ interval, timeout })
    },
    error: cell => (cell.startsWith('process warnings') ? undefined : 'others'),
    tls: cell => (cell === 'Node\'s' ? undefined : 'others'),
  }
  for (const [cell = '', fallback = ''] of OPTIONS) {
    const name = optionIn(cell) as keyof ConnectPlan
    const value = plan[name]
    if (name in expected) t.strictSame(value, expected[name](fallback), `${name}: ${fallback}`)
    else t.match(fallback, /^none/, `${name}: ${JSON.stringify(value)}`)
    if (/^none/.test(fallback)) t.ok(value === undefined || Object.keys(value).length === 0, `${name}: ${fallback}`)
  }
})

t.test('by default an error of a callback is a process warning, and a Violation is nothing', async t => {
  t.match(OPTIONS.find(([name = '']) => optionIn(name) === 'error')?.[1], 'process warnings for errors of your callbacks; nothing for a `Violation`')
  const warnings: unknown[] = []
  const captured = t.capture(process, 'emitWarning', (warning: unknown) => void warnings.push(warning))
  for (const first of [TEXT, RESERVED_OPCODE]) {
    const raw = await RawServer.open(t, (head, socket) => {
      setImmediate(() => socket.write(bytes(frame(first, 'a'))))
      return accepting(head)
    })
    const socket = await connect(raw.url, {
      message() {
        throw new Error('oops')
      },
    })
    await within(socket.closed, 'the end')
    socket.terminate()
  }
  captured.restore()
  t.match(warnings, [{ message: 'oops' }])
  t.equal(warnings.length, 1)
})

t.test('a header may be set, unless the page says that it is the handshake’s own', async t => {
  const section = sectionOf(PAGE, '### Headers')
  const own = codesIn(section).filter(name => /^[A-Z]/.test(name) && name !== 'MisuseError')
  const others = ['Authorization', 'Cookie', 'User-Agent', 'Accept', 'Accept-Language', 'Cache-Control', 'Date', 'Expect', 'Forwarded', 'From']
  const more = ['Keep-Alive', 'Origin-Agent-Cluster', 'Pragma', 'Proxy-Authorization', 'Referer', 'TE', 'Trailer', 'Via', 'X-Forwarded-For']
  const protocol = ['Accept', 'Extensions', 'Key', 'Protocol', 'Version', 'Other'].map(name => `Sec-WebSocket-${name}`)
  const basic = ['Connection', 'Content-Length', 'Content-Type', 'Host', 'Origin', 'Transfer-Encoding', 'Upgrade']
  const refused = [...others, ...more, ...protocol, ...basic].filter(name => {
    try {
      checkRequestHeaders({ [name]: 'a' })
      return false
    } catch (error) {
      return (error as MisuseError).code === 'invalid-header'
    }
  })
  t.strictSame(own.sort(), refused.sort())
  for (const headers of [{ 'a b': '1' }, { a: 'b\r\nc: d' }]) t.throws(() => checkRequestHeaders(headers), { code: 'invalid-header' })
  const terms = { protocols: [], origin: undefined, extensions: '', headers: { authorization: 'Bearer a' } }
  const { rawHeaders } = formatRequest(readTarget('ws://user:password@localhost'), terms)
  t.strictSame(rawHeaders.filter((_, at) => at % 2 === 0 && /authorization/i.test(rawHeaders[at])), ['authorization'])
})

t.test('socket.response is the answer of the server', async t => {
  const raw = await RawServer.open(t, head => accepting(head).replace('\r\n\r\n', '\r\nSet-Cookie: a=b\r\n\r\n'))
  const socket = await connect(raw.url)
  t.match(socket.response, { status: 101, headers: { 'set-cookie': ['a=b'] } })
  socket.terminate()
})

t.test('each variable of the environment is for what its row says', async t => {
  const { rows } = tableOf(PAGE, 'variable', 'for')
  const proxyOf = (url: string, environment: Record<string, string>): string | undefined => proxyFromEnvironment(readTarget(url), environment)?.url
  const trials: Readonly<Record<string, (what: string) => void>> = {
    HTTPS_PROXY(what) {
      t.equal(proxyOf(`${what}://a.example`, { HTTPS_PROXY: 'p' }), 'p')
      t.equal(proxyOf('ws://a.example', { HTTPS_PROXY: 'p' }), undefined)
    },
    HTTP_PROXY(what) {
      t.match(what, /^ws \(not in a CGI program/)
      t.equal(proxyOf('ws://a.example', { HTTP_PROXY: 'p' }), 'p')
      t.equal(proxyOf('wss://a.example', { HTTP_PROXY: 'p' }), undefined)
      t.equal(proxyOf('ws://a.example', { HTTP_PROXY: 'p', REQUEST_METHOD: 'GET' }), undefined)
    },
    ALL_PROXY(what) {
      t.equal(what, 'whatever has none')
      for (const scheme of ['ws', 'wss']) t.equal(proxyOf(`${scheme}://a.example`, { ALL_PROXY: 'p' }), 'p')
      t.equal(proxyOf('ws://a.example', { ALL_PROXY: 'p', HTTP_PROXY: 'q' }), 'q')
    },
    NO_PROXY(what) {
      const targets: Readonly<Record<string, readonly string[]>> = {
        'example.org': ['ws://example.org', 'ws://deep.example.org:81'],
        '127.0.0.1': ['ws://127.0.0.1'],
        '10.0.0.0/8': ['ws://10.1.2.3'],
        '[::1]': ['ws://[::1]'],
        ':port': [],
        '*': ['wss://anything.example'],
      }
      t.strictSame(codesIn(what), Object.keys(targets))
      for (const [exception, urls] of Object.entries(targets)) {
        for (const url of urls) t.equal(proxyOf(url, { ALL_PROXY: 'p', NO_PROXY: `other.example, ${exception}` }), undefined, `${exception}: ${url}`)
      }
      t.equal(proxyOf('ws://example.org:81', { ALL_PROXY: 'p', NO_PROXY: 'example.org:82' }), 'p')
      t.equal(proxyOf('ws://example.org:82', { ALL_PROXY: 'p', NO_PROXY: 'example.org:82' }), undefined)
    },
  }
  t.strictSame(rows.map(([name = '']) => codesIn(name).join()), Object.keys(trials))
  for (const [name = '', what = ''] of rows) trials[codesIn(name).join()](what)
  t.equal(proxyOf('ws://a.example', { http_proxy: 'low', HTTP_PROXY: 'p' }), 'low', 'lower case goes before')
})

/** Stands still unless it is moved, and writes down how long pauses at most may be. */
class StandingClock implements Clock {
  time = 0
  readonly pauses: number[] = []

  now(): number {
    return this.time
  }

  random(): number {
    return 1
  }

  async wait(milliseconds: number): Promise<void> {
    this.pauses.push(milliseconds)
  }
}

/** The longest pauses behind so many failures, and whether a connection of so many milliseconds sets them back. */
async function pauses(t: Test, failures: number, lasting: number): Promise<{ readonly pauses: number[]; readonly isSetBack: boolean }> {
  let left = failures
  const raw = await RawServer.open(t, head => (left-- > 0 ? answering(500) : accepting(head)))
  const clock = new StandingClock()
  const loop = reconnectingBy(clock, raw.url, {})
  const { value: socket } = await within(loop.next(), 'a connection')
  const before = [...clock.pauses]
  clock.time += lasting
  socket?.terminate()
  await within(loop.next(), 'the next')
  await loop.return?.()
  return { pauses: before, isSetBack: clock.pauses.at(-1) === before[0] }
}

t.test('the options of reconnecting, and their defaults', async t => {
  const names: Record<keyof Pick<ReconnectingOptions, 'minDelay' | 'maxDelay' | 'stableTime' | 'signal' | 'error'>, string> = {
    minDelay: '',
    maxDelay: '',
    stableTime: '',
    signal: '',
    error: '',
  }
  const { rows } = tableOf(sectionOf(PAGE, '## Connecting again'), 'option', 'default')
  t.strictSame(rows.map(([name = '']) => optionIn(name)), Object.keys(names))
  const defaultOf = (wanted: string): string => rows.find(([name = '']) => optionIn(name) === wanted)?.[1] ?? ''
  const stableTime = amountIn(defaultOf('stableTime'))
  const { pauses: longest, isSetBack } = await pauses(t, 7, stableTime)
  t.equal(longest[0], amountIn(defaultOf('minDelay')))
  t.equal(longest.at(-1), amountIn(defaultOf('maxDelay')))
  t.ok(isSetBack, `${stableTime} ms is stable`)
  t.notOk((await pauses(t, 2, stableTime - 1)).isSetBack, 'a millisecond less is not')
  t.equal(defaultOf('signal'), 'none')
})

t.test('the statuses that end the loop, those that are followed, and those with a Retry-After', async t => {
  const all = Array.from({ length: 500 }, (_, i) => 100 + i)
  const errorOf = (status: number): HandshakeError =>
    new HandshakeError('handshake-refused', '', { status, headers: { 'retry-after': '7' }, body: Buffer.alloc(0) })
  const ending = numbersIn(/what repeating can't mend: the statuses ([^]*?), a redirect/)
  t.strictSame(ending, all.filter(status => isFinal(errorOf(status))))
  t.ok(isFinal(new HandshakeError('redirect-refused', '')) && isFinal(new MisuseError('invalid-option', '')), 'and the others of that sentence')
  t.ok(isFinal(Object.assign(new Error(), { code: 'CERT_HAS_EXPIRED' })))
  t.strictSame(numbersIn(/None is followed unless `redirects` says how many; then ([^]*?) are\./), all.filter(isRedirect))
  t.strictSame(numbersIn(/If a (.*?) has a Retry-After/), all.filter(status => retryAfter(errorOf(status), 0) > 0))
})

t.test('a loop ends after the codes that the pages name, and throws after others', async t => {
  const ends = Array.from({ length: 5000 }, (_, code) => code).filter(code => isRegularEnd({ code, reason: '', clean: true }))
  const single = ends.filter(code => code < 3000)
  const sentences: [page: string, sentence: RegExp][] = [
    [PAGE, /closing handshake was complete with (.*?) on\./],
    [pageOf('guide/server.md'), /closing handshake was complete with (.*?) on\./],
    [pageOf('reference/lifecycle.md'), /A loop ends where the end was clean, with (.*?) to 4999/],
  ]
  for (const [page, sentence] of sentences) t.strictSame(numbersIn(sentence, page), [...single, ends[single.length]], String(sentence))
  t.notOk(isRegularEnd({ code: 1000, reason: '', clean: false }))
})

t.test('so many messages, or so much memory of them, wait for a loop', async t => {
  const [, count = '', size = ''] = /Up to (\d+) messages, or (\d+ KiB) of memory, wait here/.exec(PAGE) ?? []
  t.match(pageOf('guide/server.md'), `at most ${count} messages, or ${size}, of those`)
  const nothing = (): void => {}
  for (const sizes of [Array.from({ length: Number(count) }, () => 1), [amountIn(size) - 1, 1]]) {
    let held = false
    const source = { hold: () => void (held = true), release: nothing, left: nothing, resized: nothing, detach: nothing }
    const iterator = new MessageIterator(source, true)
    for (const bytes of sizes) {
      t.notOk(held)
      iterator.push('', bytes)
    }
    t.ok(held, `${sizes.length} messages`)
  }
})

t.test('what is unlike a browser', async t => {
  const { rows } = tableOf(PAGE, 'unlike a browser', '')
  const raw = await RawServer.open(t, accepting)
  const opened = new WebSocket(raw.url)
  const event = await new Promise<Event>(resolve => opened.addEventListener('open', resolve))
  const plan = checkConnectOptions({})
  const trials: Readonly<Record<string, () => void | Promise<void>>> = {
    'the URL is absolute': () => void t.throws(() => new WebSocket('/echo'), { name: 'SyntaxError' }),
    'no port is blocked, no cookies are kept, no Origin is sent': async () => {
      t.notOk('origin' in headersOf(raw.heads[0]))
      // A port that browsers block: the attempt is made.
      const blocked = new WebSocket('ws://127.0.0.1:1')
      const failure = await new Promise<Event & { readonly error?: Error }>(resolve => blocked.addEventListener('error', resolve))
      t.match(failure.error, { code: 'ECONNREFUSED' })
      const baking = await RawServer.open(t, head => accepting(head).replace('\r\n\r\n', '\r\nSet-Cookie: a=b\r\n\r\n'))
      for (let i = 0; i < 2; i++) {
        const socket = new WebSocket(baking.url)
        await new Promise(resolve => socket.addEventListener('open', resolve))
        socket.close()
      }
      t.notOk(baking.heads.some(head => 'cookie' in headersOf(head)))
    },
    '`isTrusted` of events is false': () => void t.equal(event.isTrusted, false),
    'the handshake has 10 s, messages may have 16 MiB': () => {
      const [row = ''] = rows.find(([what = '']) => what.startsWith('the handshake has')) ?? []
      t.strictSame([plan.timeout, plan.limits.messageBytes], amountsIn(row))
    },
    '`ref()` and `unref()` are there': () => void t.equal(opened.unref().ref(), opened),
  }
  t.strictSame(rows.map(([what = '']) => what), Object.keys(trials))
  for (const trial of Object.values(trials)) await trial()
  opened.close()
  for (const socket of raw.sockets) socket.destroy()
  await eventually('its end', () => opened.readyState === WebSocket.CLOSED)
})

t.test('the class takes the options of connect, but no callbacks and no signal', async t => {
  const sentence = /no callbacks and no `signal`,\sfor which there are events and `close\(\)`/
  t.match(PAGE, sentence)
  const callbacks = optionsOfConnect().filter(name => OPTIONS.some(([cell = '']) => codesIn(cell).join().startsWith(`${name}(`)))
  t.ok(callbacks.includes('pong'), 'the callbacks are found')
  for (const name of [...callbacks, 'signal']) {
    const init = { [name]: name === 'signal' ? AbortSignal.abort() : () => {} }
    t.throws(() => new WebSocket('ws://127.0.0.1:1', init), { code: 'invalid-option' }, name)
  }
})
