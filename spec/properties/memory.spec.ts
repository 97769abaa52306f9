import t from 'tap'

// What the property of memory judges with, and that its mixes leave nothing out. The property itself is memory.js.

interface Measured {
  readonly real: number
  readonly counted: number
  readonly sockets: number
  readonly tls: number
  readonly handshakes: number
}

interface Mix {
  readonly crowd: number
  readonly doors: readonly string[]
  readonly settings: readonly string[]
  readonly kinds: readonly string[]
  readonly tempers: readonly string[]
  readonly actions: readonly string[]
}

interface Modules {
  boundOf(measured: Measured): number
  judge(measured: Measured): string | undefined
  mixOf(seed: number, index: number): Mix
  DOORS: Readonly<Record<string, object>>
  SETTINGS: Readonly<Record<string, object>>
  ACTIONS: Readonly<Record<string, unknown>>
  KINDS: readonly string[]
  TEMPERS: readonly string[]
  payloadOf(kind: string, size: number): string | Buffer
}

const names = ['bound', 'mix', 'doors', 'play', 'payload', 'peer'].map(name => `./memory/${name}.js`)
const modules = (await Promise.all(names.map(name => import(name)))) as Partial<Modules>[]
const { boundOf, judge, mixOf, DOORS, SETTINGS, ACTIONS, KINDS, TEMPERS, payloadOf } = Object.assign({}, ...modules) as Modules

const MIBI = 1024 * 1024
const idle: Measured = { real: 0, counted: 0, sockets: 0, tls: 0, handshakes: 0 }

t.test('the bound is twice what is counted, and something for each of what there is', async t => {
  const constant = boundOf(idle)
  t.ok(constant > 0 && constant <= 8 * MIBI, `${constant}`)
  t.equal(boundOf({ ...idle, counted: 5 * MIBI }) - constant, 10 * MIBI)
  for (const what of ['sockets', 'tls', 'handshakes'] as const)
    t.equal((boundOf({ ...idle, [what]: 10 }) - constant) / 10, boundOf({ ...idle, [what]: 1 }) - constant, what)
  t.equal(boundOf({ ...idle, real: MIBI }), constant, 'whatever is really held')
})

t.test('what is held up to the bound is right, and a byte more is a complaint with the figures', async t => {
  const measured = { ...idle, counted: 10 * MIBI, sockets: 3 }
  const bound = boundOf(measured)
  t.equal(judge({ ...measured, real: bound }), undefined)
  t.match(judge({ ...measured, real: bound + 1 }), /^counted 10\.0 MiB, really held 28\.0 MiB, allowed 28\.0 MiB; 3 sockets, 0 /)
})

t.test('the same seed has the same mixes, and all that there is comes in some of them', async t => {
  const mixes = Array.from({ length: 300 }, (_, index) => mixOf(7, index))
  t.strictSame(mixes, Array.from({ length: 300 }, (_, index) => mixOf(7, index)))
  const found = (key: 'doors' | 'settings' | 'kinds' | 'tempers' | 'actions'): string[] =>
    [...new Set(mixes.flatMap(mix => mix[key]))].sort()
  t.strictSame(found('doors'), Object.keys(DOORS).sort())
  t.strictSame(found('settings'), Object.keys(SETTINGS).sort())
  t.strictSame(found('kinds'), [...KINDS].sort())
  t.strictSame(found('tempers'), [...TEMPERS].sort())
  t.strictSame(found('actions'), Object.keys(ACTIONS).sort(), 'and every action that a mix has is one that can be played')
})

t.test('payloads have the size that was asked for, and memory of their own', async t => {
  for (const kind of KINDS) {
    const size = Buffer.byteLength(payloadOf(kind, 3000))
    t.equal(size, 3000, kind)
  }
  t.not(payloadOf('noise', 100_000), payloadOf('noise', 100_000))
})
