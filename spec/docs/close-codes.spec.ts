/** The tables of close codes and of violations in docs/guide/server.md, and the times of docs/reference/lifecycle.md. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { kore_shutdown } from '../../lib/kore.ts'
import { CloseCode, isWireCloseCode } from '../../lib/protocol/close-code.ts'
import { VIOLATIONS } from '../../lib/protocol/violation.ts'
import { connected } from '../helpers/connected.ts'
import { bytes, closeFrame } from '../helpers/frames.ts'
import { running } from '../helpers/running.ts'
import { closed } from '../helpers/transports.ts'
import { Served } from '../kore/served.ts'
import { amountIn, codesIn, pageOf, tableOf } from './page.ts'

const PAGE = pageOf('guide/server.md')
const CODES = tableOf(PAGE, 'code', '`CloseCode`').rows
const LIB = fileURLToPath(new URL('../../lib/', import.meta.url))

/** Names of CloseCode that are used anywhere but in the table itself; the tester sends what it likes. */
function usedCodes(): Set<string> {
  const files = readdirSync(LIB, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts') && !file.startsWith('conformance'))
  return new Set(files.flatMap(file => [...readFileSync(LIB + file, 'utf8').matchAll(/CloseCode\.(\w+)/g)].map(([, name = '']) => name)))
}

t.test('the table of close codes is CloseCode', async t => {
  const rows = CODES.map(([code = '', name = '']) => [codesIn(name).join(), Number(code)])
  t.strictSame(Object.fromEntries(rows), { ...CloseCode })
})

t.test('codes that are yours to send are used nowhere here, and all others are', async t => {
  const used = usedCodes()
  for (const [, name = '', when = ''] of CODES) t.equal(used.has(codesIn(name).join()), when !== 'yours to send', `${name}: ${when}`)
})

t.test('codes that are never sent are those that may not be, and others up to 4999 are free', async t => {
  for (const [code = '', , when = ''] of CODES) t.equal(isWireCloseCode(Number(code)), !when.includes('It is never sent'), code)
  const [, one = '', other = '', from = '', to = ''] = /any of these but (\d+) and (\d+), or a code from (\d+) to (\d+)/.exec(PAGE) ?? []
  const named = CODES.map(([code]) => Number(code))
  for (let code = 0; code <= 5001; code++) {
    const may = (named.includes(code) && code !== Number(one) && code !== Number(other)) || (code >= Number(from) && code <= Number(to))
    if (isWireCloseCode(code) !== may) t.fail(`${code} ${may ? 'may' : 'may not'} be sent, says the page`)
  }
})

t.test('the limits that a code stands for are those whose rows have it', async t => {
  const page = pageOf('reference/limits.md')
  const peers = [...tableOf(page, 'limit', 'default', 'unit').rows, ...tableOf(page, 'limit', 'unit', 'default').rows]
  for (const [code = '', , when = ''] of CODES) {
    const named = codesIn(when).filter(name => name.startsWith('limits.'))
    const having = peers.filter(([, , , peer = '']) => new RegExp(`(?:^close|then) ${code}\\b`).test(peer)).map(([name = '']) => `limits.${codesIn(name).join()}`)
    t.strictSame(named.sort(), having.sort(), code)
  }
})

t.test('the table of violations is the one of the code', async t => {
  const { rows } = tableOf(PAGE, '`error.code`', 'close code')
  const told = rows.map(([name = '', code = '', reason = '', section = '']) => [codesIn(name).join(), [Number(code), reason, section]])
  t.strictSame(Object.fromEntries(told), { ...VIOLATIONS })
  t.equal(told.length, Object.keys(VIOLATIONS).length)
})

t.test('the codes of violations are those that the table of close codes explains by the peer', async t => {
  const codes = new Set<number>(Object.values(VIOLATIONS).map(([code]) => code))
  const explained = CODES.filter(([, , when = '']) => /the peer broke the protocol|not UTF-8|messageBytes/.test(when)).map(([code]) => Number(code))
  t.strictSame(explained, [...codes].sort())
})

/** Rows of the times in lifecycle.md: what, from when, and what then. */
const TIMES = new Map(
  pageOf('reference/lifecycle.md')
    .split('## Times')
    .flatMap((section, at) => (at === 0 ? [] : tableOf(section, '', 'counts from').rows))
    .map(([time = '', from = '', then = '']) => [time, { from, then }] as const)
)
const [CLOSING_TIME, END_TIME, TIMEOUT] = ['`limits.closingTime`', '2,000 ms, on clients', '`timeout` of `server.close` and `kore_shutdown`']

t.test('the times of lifecycle.md are these three', async t => {
  t.strictSame([...TIMES.keys()], [CLOSING_TIME, END_TIME, TIMEOUT])
})

t.test(`${CLOSING_TIME}: dropped, with the code and reason of its row`, async t => {
  const { client, journal } = await running(t, { limits: { closingTime: 0 }, open: socket => socket.close() })
  await client()
  const lines = await journal.until('close')
  t.equal(`dropped, ${lines.at(-1)?.replace(/close (\d+) (.*)/, '$1 `$2`')}`, TIMES.get(CLOSING_TIME)?.then)
})

t.test(`${END_TIME}: then the client ends TCP itself, and that is a clean end`, async t => {
  const { connection, transport, journal } = connected(t, {}, { role: 'client' })
  connection.close(1000)
  const start = performance.now()
  transport.push(bytes(closeFrame(1000)))
  await journal.until('close 1000')
  await closed(transport)
  const elapsed = performance.now() - start
  const time = amountIn(END_TIME)
  t.ok(elapsed >= time && elapsed < 9000, `${elapsed} ms`)
  t.strictSame(connection.closeInfo, { code: 1000, reason: '', clean: true })
  t.match(TIMES.get(END_TIME)?.then, /the client ends TCP itself; that is a clean end/)
})

t.test(`${TIMEOUT}: dropped, with the code and reason of its row`, async t => {
  const { server, client, journal } = await running(t)
  await client()
  t.strictSame(await server.close({ timeout: 0 }), { closed: 0, dropped: 1, refused: 0 })
  t.equal(`dropped, ${journal.lines.at(-1)?.replace(/close (\d+) (.*)/, '$1 `$2`')}`, TIMES.get(TIMEOUT)?.then)
  const served = await Served.start(t)
  const { c } = await served.pair()
  t.strictSame(await kore_shutdown(1001, 0), { closed: 0, dropped: 1, refused: 0 })
  t.match(c.websocket?.closeInfo, { code: 1006, reason: 'close-timeout' })
})
