/** Every public name is in a guide, and the tables of names have those that there are. */
import t from 'tap'
import * as kore from '../../lib/kore.ts'
import { codesIn, pageOf, sectionOf, tableOf } from './page.ts'
import { exportsOf, membersOf } from './public-names.ts'

const GUIDES = ['guide/server.md', 'guide/client.md', 'guide/compression.md', 'guide/operate.md', 'reference/limits.md', 'reference/lifecycle.md']
const SERVER = pageOf('guide/server.md')
const CLIENT = pageOf('guide/client.md')

/** What is marked as code in some pages, in lines or in blocks. */
function codeOf(paths: readonly string[]): string {
  const page = paths.map(pageOf).join('\n')
  return [...page.matchAll(/```[^]*?```|`[^`]+`/g)].join('\n')
}

function isNamedIn(code: string, name: string): boolean {
  return new RegExp(`(?<![\\w$])${name}(?![\\w$])`).test(code)
}

/** What the first column of a table names. */
function namesIn(page: string, ...columns: readonly string[]): string[] {
  return tableOf(page, ...columns).rows.flatMap(([names = '']) => codesIn(names))
}

t.test('each name that kore-ws exports is in a guide', async t => {
  const { values, types } = exportsOf('index.ts')
  t.ok(values.includes('WebSocketServer') && types.includes('Connection'), 'the exports are found')
  const code = codeOf(GUIDES)
  t.strictSame([...values, ...types].filter(name => !isNamedIn(code, name)), [])
})

t.test('each name that kore-ws/kore exports is on the page of Kore’s calls', async t => {
  const { values, types } = exportsOf('kore.ts')
  const constants = Object.keys(kore).filter(name => !values.includes(name) && !name.startsWith('k'))
  t.ok(constants.length > 20 && values.includes('kore_websocket_send'), 'the exports are found')
  const code = codeOf(['kore.md'])
  const internal = ['koreMetrics']
  const names = [...Object.keys(kore).filter(name => !internal.includes(name)), ...types]
  t.strictSame(names.filter(name => !isNamedIn(code, name)), [])
  t.notOk(values.some(name => internal.includes(name)), 'what is left out is marked as internal')
})

t.test('the tables of types have every type that is exported, once, and no others', async t => {
  const { types } = exportsOf('index.ts')
  const named = [SERVER, CLIENT].flatMap(page => namesIn(sectionOf(page, '## Types'), 'type', 'of'))
  t.strictSame(named.sort(), [...types].sort())
})

t.test('the table of a connection has its public members, and no others', async t => {
  const members = membersOf('transport/connection.ts', 'Connection')
  t.ok(members.includes('ping()') && members.includes('closeInfo') && !members.includes('sendShared()'), 'the members are found')
  t.strictSame(namesIn(SERVER, 'of a connection', '').sort(), members.sort())
})

t.test('the table of a server has its public members, and no others', async t => {
  const members = membersOf('server.ts', 'WebSocketServer')
  t.ok(members.includes('subscriberCount()') && members.includes('address'), 'the members are found')
  t.strictSame(namesIn(SERVER, 'of a server', '').sort(), members.sort())
})

t.test('what the browser’s class has beyond the standard is in the table of what is unlike a browser', async t => {
  const standard = ['url', 'readyState', 'bufferedAmount', 'extensions', 'protocol', 'binaryType', 'send()', 'close()']
  const events = ['onopen', 'onmessage', 'onerror', 'onclose', 'CONNECTING', 'OPEN', 'CLOSING', 'CLOSED']
  const more = membersOf('websocket.ts', 'WebSocket').filter(name => ![...standard, ...events].includes(name))
  t.strictSame(more, ['ref()', 'unref()'])
  const named = namesIn(CLIENT, 'unlike a browser', '')
  t.strictSame(more.filter(name => !named.includes(name)), [])
})

t.test('each field of a connection of Kore’s is in the table', async t => {
  const names = membersOf('kore/connection.ts', 'KoreConnection')
  t.ok(names.includes('hdlr_extra') && !names.includes('become()'), 'the members are found')
  const rows = namesIn(pageOf('kore.md'), 'field', '').map(name => name.replace('.length', ''))
  t.strictSame(rows.sort(), names.sort())
})

t.test('what kore_request adds to a request is on the page of Kore’s calls', async t => {
  const code = codeOf(['kore.md'])
  for (const name of ['request.owner', 'request.status', 'request.owner.hdlr_extra']) t.ok(isNamedIn(code, name), name)
})
