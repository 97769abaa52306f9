/** The names, defaults and units of limits, in the tables of docs/reference/limits.md and docs/guide/server.md. */
import t from 'tap'
import { checkConnectOptions } from '../../lib/client-options.ts'
import { config } from '../../lib/kore/config.ts'
import { resolveLimits, SERVER_LIMITS, type Limits } from '../../lib/limits.ts'
import { MisuseError } from '../../lib/protocol/misuse-error.ts'
import { RESOLUTION } from '../../lib/transport/deadlines.ts'
import { amountIn, amountsIn, codesIn, pageOf, sectionOf, tableOf } from './page.ts'

type Name = keyof Limits

const PAGE = pageOf('reference/limits.md')
const LIMITS = resolveLimits()
const NAMES = Object.keys(LIMITS)
const KIB = 1024

/** Default and unit of each limit of a table, by its name. */
function rowsOf(page: string, ...columns: readonly string[]): Map<string, { readonly fallback: string; readonly unit: string }> {
  const table = tableOf(page, ...columns)
  const [fallback, unit] = [table.columns.indexOf('default'), table.columns.indexOf('unit')]
  return new Map(table.rows.map(row => [codesIn(row[0] ?? '').join(), { fallback: row[fallback] ?? '', unit: row[unit] ?? '' }]))
}

const PER_CONNECTION = rowsOf(PAGE, 'limit', 'default', 'unit')
const PER_SERVER = rowsOf(PAGE, 'limit', 'unit', 'default')
const OF_SERVER_GUIDE = rowsOf(pageOf('guide/server.md'), 'limit', 'default', 'beyond it')

/** Those that depend on the machine, as the text says it. */
const DERIVED: Partial<Record<Name, (text: string) => number>> = {
  retainedBytes(text) {
    const [above = 0, below = 1, more = 0] = amountsIn(text)
    return (LIMITS.messageBytes * above) / below + more
  },
  connections(text) {
    const [most = 0, size = 1] = amountsIn(text)
    return Math.min(most, Math.floor(LIMITS.memory / size))
  },
  handshakes(text) {
    const [most = 0, size = 0] = amountsIn(text)
    return Math.max(1, Math.min(most, Math.floor(LIMITS.memory / 2 / (size + LIMITS.handshakeBytes))))
  },
}

t.test('limits.md has a row for each limit, and no others; so has the guide', async t => {
  t.strictSame([...PER_CONNECTION.keys(), ...PER_SERVER.keys()].sort(), [...NAMES].sort())
  t.strictSame([...OF_SERVER_GUIDE.keys()].sort(), [...NAMES].sort())
})

t.test('each default of limits.md is the one in force', async t => {
  for (const [name, { fallback }] of [...PER_CONNECTION, ...PER_SERVER]) {
    if (name === 'memory') t.match(fallback, /^a quarter of the memory/)
    else t.equal((DERIVED[name as Name] ?? amountIn)(fallback), LIMITS[name as Name], `${name}: ${fallback}`)
  }
})

t.test('the default of retainedBytes is also written out, and the size of a connection and of a request', async t => {
  const text = PER_CONNECTION.get('retainedBytes')?.fallback ?? ''
  const [, whole = ''] = text.split(': ')
  t.equal(amountsIn(whole).reduce((sum, part) => sum + part), LIMITS.retainedBytes)
  t.strictSame(amountsIn(PER_SERVER.get('connections')?.fallback ?? ''), [100_000, 5 * KIB])
  t.strictSame(amountsIn(PER_SERVER.get('handshakes')?.fallback ?? ''), [10_000, 32 * KIB, 1])
})

t.test('each default of the guide to the server is the one in force', async t => {
  for (const [name, { fallback }] of OF_SERVER_GUIDE) {
    const value = LIMITS[name as Name]
    const whole = [...PER_CONNECTION, ...PER_SERVER].find(([other]) => other === name)?.[1].fallback ?? ''
    if (name === 'memory') t.match(fallback, /^a quarter of the heap limit or of the container's memory/)
    else if (name === 'retainedBytes') t.ok(whole.startsWith(fallback), fallback)
    else if (/or less where memory is scarce/.test(fallback)) t.equal(amountIn(fallback), amountIn(whole), `${name}: ${fallback}`)
    else t.equal(amountIn(fallback), value, `${name}: ${fallback}`)
  }
})

/** Where the page has other words than the error for a value that is none. */
const OTHER_UNITS: Readonly<Record<string, string>> = { 'control frames a second': 'pings and pongs a second' }

t.test('each unit is the one that a wrong value is told', async t => {
  for (const [name, { unit }] of [...PER_CONNECTION, ...PER_SERVER]) {
    try {
      resolveLimits({ [name]: -1 })
      t.fail(`${name} may be -1`)
    } catch (error) {
      const [, told = ''] = / whole number of (.+), 0 or more, or Infinity/.exec((error as MisuseError).message) ?? []
      t.ok(unit.startsWith(OTHER_UNITS[told] ?? told), `${name}: ${unit} and ${told}`)
    }
  }
})

t.test('a client has all limits but those that the page leaves out', async t => {
  const [, sentence = ''] = /A client has the same limits, but for ([^:]*), which are misuse there/.exec(PAGE) ?? []
  const without = [...codesIn(sentence), ...PER_SERVER.keys()]
  t.strictSame(without.sort(), [...SERVER_LIMITS].sort())
  for (const name of NAMES) {
    const check = (): unknown => checkConnectOptions({ limits: { [name]: 1 } })
    if (without.includes(name)) t.throws(check, { code: 'invalid-option' }, name)
    else t.equal(checkConnectOptions({ limits: { [name]: 1 } }).limits[name as Name], 1, name)
  }
})

t.test('Kore’s calls have these defaults, with two settings in place of two of them', async t => {
  const [, limit1, limit2] = /with `websocket_maxframe` as `(\w+)` and\s`websocket_timeout` as `(\w+)`/.exec(PAGE) ?? []
  t.strictSame([limit1, limit2], ['messageBytes', 'idleTime'])
  const { websocket_maxframe: messageBytes, websocket_timeout: seconds } = config
  t.strictSame(config.limits, resolveLimits({ messageBytes, idleTime: seconds * 1000 }))
})

t.test('what the pages say of how late a time may be is how often the wheel of deadlines turns', async t => {
  const sentences: [page: string, sentence: RegExp][] = [
    [PAGE, /Times are kept to within (\d+) ms/],
    [pageOf('reference/lifecycle.md'), /A time never ends early, and at most (\d+) ms late/],
    [pageOf('guide/client.md'), /It never ends early, and at most (\d+) ms late where nothing keeps the event loop busy/],
  ]
  for (const [page, sentence] of sentences) t.equal(Number(sentence.exec(page)?.[1]), RESOLUTION, String(sentence))
})

t.test('the values of the example for an HTTP server of one’s own are those of a port of the server’s own', async t => {
  const section = sectionOf(PAGE, '### On an HTTP server of yours')
  const [, headers, request] = /headersTimeout: ([\d_]+), requestTimeout: ([\d_]+)/.exec(section) ?? []
  t.strictSame([headers, request].map(text => Number(text?.replace('_', ''))), [LIMITS.handshakeTime, LIMITS.handshakeTime])
  const [, lines] = /maxHeadersCount = (\d+)/.exec(section) ?? []
  const [, most] = /A request has at most (\d+) header lines/.exec(PAGE) ?? []
  t.equal(Number(lines), Number(most) + 1)
})
