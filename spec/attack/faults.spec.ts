import t from 'tap'
import { createCompression, resolveCompression } from '../../lib/deflate/compression.ts'
import { formatOffer, readAgreement } from '../../lib/deflate/negotiation.ts'
import { parseExtensionList } from '../../lib/handshake/grammar.ts'
import { resolveLimits } from '../../lib/limits.ts'
import { WebSocketServer } from '../../lib/server.ts'
import type { ServerOptions } from '../../lib/server-options.ts'
import { Connection } from '../../lib/transport/connection.ts'
import { isThenable } from '../../lib/transport/thenable.ts'
import { random } from '../helpers/random.ts'

// Random network faults under connections of both roles: some of the schedules of faults.js, of which it runs 100,000.
// And the same with a server or a connection that breaks one promise each, which has to be found.

/** What the schedules' own modules, in JavaScript, are used for here. */
interface Modules {
  runBatch(
    lib: object,
    range: { seed: number; from: number; count: number; patience?: number }
  ): Promise<{ faults: { index: number; what: string }[] }>
  Leftovers: new () => { check(patience?: number): Promise<string[]> }
}

const names = ['./faults/batch.js', './faults/leftovers.js']
const modules = (await Promise.all(names.map(name => import(name)))) as Partial<Modules>[]
const { runBatch, Leftovers } = Object.assign({}, ...modules) as Modules

const lib = {
  WebSocketServer,
  Connection,
  resolveLimits,
  resolveCompression,
  createCompression,
  formatOffer,
  readAgreement,
  parseExtensionList,
}
const SCHEDULES = 200

t.test('each connection ends once, all promises settle, nothing is left', async t => {
  const seed = random(t)(2 ** 31)
  const leftovers = new Leftovers()
  const { faults } = await runBatch(lib, { seed, from: 0, count: SCHEDULES })
  t.strictSame(faults, [])
  t.strictSame(await leftovers.check(), [])
})

type Options = ServerOptions<unknown>

/** A server whose options are changed behind its back. */
function withOptions(change: (options: Options) => Options): object {
  class Changed extends WebSocketServer {
    constructor(options: Options) {
      super(change(options))
    }
  }
  return { ...lib, WebSocketServer: Changed }
}

/** Calls one after the other. A promise of theirs that nobody looks at would end the process where it rejects. */
function inTurn(...calls: (() => unknown)[]): unknown {
  const promises = calls.map(call => call()).filter(isThenable)
  return promises.length === 0 ? undefined : Promise.all(promises)
}

/** A connection that has one method replaced for as long as `work` runs. */
async function withMethod<Name extends 'drained' | 'publish'>(
  name: Name,
  method: Connection[Name],
  work: () => Promise<void>
): Promise<void> {
  const original = Connection.prototype[name]
  Connection.prototype[name] = method
  try {
    await work()
  } finally {
    Connection.prototype[name] = original
  }
}

t.test('what is broken is found', async t => {
  const complaints = async (broken: object, count = 60): Promise<string> =>
    (await runBatch(broken, { seed: 7, from: 0, count, patience: 100 })).faults.map(({ what }) => what).join('\n')

  t.match(
    await complaints(
      withOptions(options => ({ ...options, close: (...told) => inTurn(() => options.close?.(...told), () => options.close?.(...told)) }))
    ),
    /server: close twice/,
    'close twice'
  )
  t.match(
    await complaints(
      withOptions(({ close: _, ...options }) => options),
      5
    ),
    /server: no close/,
    'no close'
  )
  t.match(
    await complaints(
      withOptions(options => ({
        ...options,
        close: (socket, ...told) => inTurn(() => options.close?.(socket, ...told), () => options.message?.(socket, 'server|1|')),
      }))
    ),
    /server: a message after close/,
    'told after close'
  )
  t.match(
    await complaints(
      withOptions(options => ({ ...options, open: socket => inTurn(() => options.open?.(socket), () => options.open?.(socket)) })),
      20
    ),
    /server: open twice/,
    'open twice'
  )
  t.match(
    await complaints(
      withOptions(options => ({
        ...options,
        message: (socket, data) => inTurn(() => options.message?.(socket, data), () => options.message?.(socket, data)),
      }))
    ),
    /server: message \d+ of client behind/,
    'a message twice'
  )
  await withMethod(
    'drained',
    () => new Promise(() => {}),
    async () => {
      t.match(await complaints(lib), /: drained did not settle/, 'a promise that does not settle')
    }
  )
  await withMethod(
    'publish',
    () => {
      throw new TypeError('no')
    },
    async () => {
      t.match(await complaints(lib), /: a call threw TypeError: no/, 'a call that throws')
    }
  )
  const leftovers = new Leftovers()
  const interval = setInterval(() => {}, 1000)
  interval.unref()
  process.on('beforeExit', nothing)
  const left = await leftovers.check(1000)
  clearInterval(interval)
  process.off('beforeExit', nothing)
  t.strictSame(left, ['1 intervals run on', '1 more listeners of the process'], 'what is left')
})

function nothing(): void {}
