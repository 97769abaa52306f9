/** The tables of other libraries' names: none is a name of ours, and what a message says to write is. */
import t from 'tap'
import * as tables from '../lib/foreign-names.ts'
import { LIMITS } from '../lib/limits.ts'
import { checkConnectOptions } from '../lib/client-options.ts'
import { checkOptions } from '../lib/server-options.ts'

/** The names of options that a check knows, as it lists them itself. */
function known(check: (options: object) => unknown): string[] {
  try {
    check({ '?': 1 })
  } catch (error) {
    const [, names = ''] = /there are (.*)$/.exec(String(error)) ?? []
    return names.split(', ')
  }
  throw new Error('it takes any name')
}

/** `name: { … }` and `name: value` of a sentence. */
function namesToWrite(sentence: string): string[] {
  return [...sentence.matchAll(/(?:write|, or) (\w+):/g)].map(([, name = '']) => name)
}

const SERVER = known(options => checkOptions(options))
const CLIENT = known(options => checkConnectOptions(options))
const OF: readonly [name: keyof typeof tables, names: readonly string[], write: readonly string[]][] = [
  ['SERVER_NAMES', SERVER, SERVER],
  ['CLIENT_NAMES', CLIENT, CLIENT],
  ['LIMIT_NAMES', LIMITS, ['limits']],
  ['COMPRESSION_NAMES', ['mode', 'level', 'windowBits', 'memLevel', 'threshold'], ['mode', 'level', 'windowBits']],
  ['HEARTBEAT_NAMES', ['interval', 'timeout'], ['heartbeat']],
  ['PROXY_NAMES', ['url', 'headers', 'tls'], ['proxy']],
  ['SEND_NAMES', ['binary', 'compress', 'scope', 'except'], ['binary']],
  ['DECISION_NAMES', ['protocol', 'headers', 'data'], []],
]

t.test('every table is tried', async t => {
  t.strictSame(OF.map(([name]) => name).sort(), Object.keys(tables).sort())
})

for (const [name, names, write] of OF) {
  t.test(`${name}: in order, none of ours, and what to write is there`, async t => {
    const table = tables[name]
    t.ok(table.size > 0)
    t.strictSame([...table.keys()], [...table.keys()].sort())
    for (const [foreign, sentence] of table) {
      t.notOk(names.includes(foreign), foreign)
      for (const option of namesToWrite(sentence)) t.ok(write.includes(option), `${foreign}: ${sentence}`)
      for (const [, inner = ''] of sentence.matchAll(/limits: \{ (\w+) \}/g)) t.ok(LIMITS.includes(inner), sentence)
    }
  })
}
