import * as zlib from 'node:zlib'
import t from 'tap'
import { Codecs } from '../../lib/deflate/codec.ts'
import { createFastEngine } from '../../lib/deflate/fast-engine.ts'
import { portableEngine } from '../../lib/deflate/portable-engine.ts'
import { useSimd } from '../../lib/protocol/mask.ts'
import { Endpoint } from '../../lib/protocol/endpoint.ts'
import { BufferedOutput } from '../../lib/protocol/output.ts'
import { createSimdMemory } from '../../lib/protocol/simd-xor.ts'
import { VIOLATIONS } from '../../lib/protocol/violation.ts'

// The streams in found/ once showed a difference; each is run in every way again, against the model alone.

interface Settings {
  readonly role: 'server' | 'client'
  readonly limit: number
  readonly deflate: { readonly takeover: boolean; readonly windowBits: number } | undefined
  readonly stream: Buffer
}

/** What the fuzzer's own modules, in JavaScript, are used for here. */
interface Modules {
  readFound(): { name: string; what: string; settings: Settings; cuts: number[]; variantSeed: number }[]
  createDriver(lib: object): object
  compare(
    settings: Settings,
    cuts: number[],
    seed: number,
    driver: object
  ): Promise<{ difference: { what: string } | undefined }>
}

const names = ['./found.js', './ours.js', './compare.js']
const modules = (await Promise.all(names.map(name => import(name)))) as Partial<Modules>[]
const { readFound, createDriver, compare } = Object.assign({}, ...modules) as Modules

const driver = createDriver({
  Endpoint,
  BufferedOutput,
  useSimd,
  createSimdMemory,
  Codecs,
  createFastEngine: () => createFastEngine(zlib),
  portableEngine,
  VIOLATIONS,
})
t.teardown(() => useSimd())

const found = readFound()
t.ok(found.length > 0, 'there are streams')
for (const { name, what, settings, cuts, variantSeed } of found) {
  t.test(`${name}: ${what}`, async t => {
    const bytewise = new Array<number>(settings.stream.length).fill(1)
    for (const pieces of [cuts, [], bytewise]) {
      for (const seed of [variantSeed, 1, 2]) {
        const { difference } = await compare(settings, pieces, seed, driver)
        t.equal(difference?.what, undefined, `${pieces.length} cuts, seed ${seed}`)
      }
    }
  })
}
