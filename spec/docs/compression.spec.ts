/** The choices of compression and their defaults, in docs/guide/compression.md and docs/guide/server.md. */
import t from 'tap'
import { checkConnectOptions } from '../../lib/client-options.ts'
import { resolveCompression, type CompressionSettings } from '../../lib/deflate/compression.ts'
import { MisuseError } from '../../lib/protocol/misuse-error.ts'
import { checkOptions } from '../../lib/server-options.ts'
import { amountIn, amountsIn, codesIn, pageOf, sectionOf, tableOf } from './page.ts'

type Choice = Exclude<keyof CompressionSettings, 'mode'>

const PAGE = pageOf('guide/compression.md')
const { rows } = tableOf(PAGE, 'choice', 'default', 'means')
const DEDICATED = resolveCompression('dedicated')

/** Choices that there are, as the error for another one lists them. */
function choices(): string[] {
  try {
    resolveCompression({ nothing: 1 })
  } catch (error) {
    const [, names = ''] = /there are (.*)$/.exec((error as MisuseError).message) ?? []
    return names.split(', ')
  }
  return []
}

function isAllowed(option: object): boolean {
  try {
    return resolveCompression(option) !== undefined
  } catch {
    return false
  }
}

t.test('the table has each choice but the mode, which has a table of its own', async t => {
  t.strictSame([...rows.map(([name = '']) => codesIn(name).join()), 'mode'].sort(), choices().sort())
})

t.test('each default is the one in force', async t => {
  for (const [name = '', fallback = ''] of rows) t.equal(amountIn(fallback), DEDICATED?.[codesIn(name).join() as Choice], name)
})

t.test('each range is the one that is checked, and dedicated only is so', async t => {
  for (const [cell = '', , means = ''] of rows) {
    const [name = ''] = codesIn(cell)
    const isForDedicated = codesIn(means).includes('\'dedicated\'')
    const mode = isForDedicated ? 'dedicated' : 'shared'
    t.equal(isAllowed({ mode: 'shared', [name]: DEDICATED?.[name as Choice] }), !isForDedicated, `${name} with shared`)
    if (name === 'threshold') {
      t.ok(codesIn(means).includes('Infinity') && isAllowed({ threshold: Infinity }))
      continue
    }
    const [lowest = 0, highest = 0] = amountsIn(means)
    const allowed = Array.from({ length: 20 }, (_, value) => value).filter(value => isAllowed({ mode, [name]: value }))
    t.strictSame([allowed[0], allowed.at(-1), allowed.length], [lowest, highest, highest - lowest + 1], `${name}: ${means}`)
  }
})

t.test('what to choose: the modes that there are; off is the default of a server, shared that of a client', async t => {
  const modes = tableOf(sectionOf(PAGE, '## What to choose'), '', 'when').rows.map(([mode = '']) => mode)
  t.strictSame(modes, ['off (default)', '`\'shared\'`', '`\'dedicated\'`'])
  t.equal(checkOptions({}).compression, undefined)
  t.equal(checkOptions({ compression: false }).compression, undefined)
  t.strictSame(checkConnectOptions({}).compression, resolveCompression('shared'))
  t.strictSame(resolveCompression(true), resolveCompression('shared'))
})

t.test('the examples of the page are as they are said to be', async t => {
  t.match(PAGE, /compression: true \}\)\s+\/\/ the same as 'shared'/)
  const [, text = ''] = /compression: (\{ mode: 'dedicated'[^}]*\})/.exec(PAGE) ?? []
  const numbers = Object.fromEntries([...text.matchAll(/(\w+): (\d+)/g)].map(([, name = '', value]) => [name, Number(value)]))
  t.strictSame(resolveCompression({ mode: 'dedicated', ...numbers }), { mode: 'dedicated', ...numbers })
})

t.test('the guide to the server has the same threshold', async t => {
  const [, threshold = ''] = /messages of ([\d,]+) bytes and more,/.exec(sectionOf(pageOf('guide/server.md'), '## Compression')) ?? []
  t.equal(amountIn(threshold), resolveCompression(true)?.threshold)
})
