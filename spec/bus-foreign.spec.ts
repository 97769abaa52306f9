/** A bus of somebody else's, on which others publish too: whatever it hands over, servers drop what is no broadcast of theirs. */
import t from 'tap'
import { sealEnvelope } from '../lib/broadcast/envelope.ts'
import type { Bus } from '../lib/broadcast/bus.ts'
import { Opcode } from '../lib/protocol/opcode.ts'
import { turn } from './helpers/journal.ts'
import { random } from './helpers/random.ts'
import { running } from './helpers/running.ts'

/** Hands a server whatever the test gives it. */
class LooseBus implements Bus {
  readonly #listeners = new Map<string, (bytes: Buffer) => void>()

  publish(): void {}

  subscribe(channel: string, listener: (bytes: Buffer) => void): () => void {
    this.#listeners.set(channel, listener)
    return () => void this.#listeners.delete(channel)
  }

  /** @throws what the server's listener does */
  give(value: unknown): void {
    for (const listener of this.#listeners.values()) listener(value as Buffer)
  }
}

function broadcast(text: string): Buffer {
  return sealEnvelope({ opcode: Opcode.text, compress: undefined, topic: undefined, payload: Buffer.from(text) })
}

t.test('what is no broadcast is dropped and counted, warned of once, and never thrown at the bus', async t => {
  const warnings: (string | undefined)[] = []
  const onWarning = ({ code }: NodeJS.ErrnoException): void => void warnings.push(code)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const bus = new LooseBus()
  const { server, client, journal } = await running(t, { bus })
  const wire = await client()
  await journal.until('open')

  let dropped = 0
  const drop = (value: unknown, what: string): void => {
    t.doesNotThrow(() => bus.give(value), what)
    dropped++
    t.equal(server.metrics().bus.malformed, dropped, what)
  }
  const whole = broadcast('hello')
  for (const value of [undefined, null, 5, true, {}, [], 'hello', whole.toString('latin1'), whole.buffer, [...whole]]) {
    drop(value, `of another type: ${typeof value}`)
  }
  for (const value of ['', '4b', '810568656c6c6f', '{"hello":1}']) drop(Buffer.from(value, 'hex'), 'other bytes')
  drop(whole.subarray(0, -1), 'cut')
  for (const version of [0, 2, 255]) {
    const other = Buffer.from(whole)
    other[2] = version
    drop(other, `version ${version}`)
  }
  const below = random(t)
  for (let i = 0; i < 200; i++) {
    const noise = Buffer.from(Array.from({ length: 1 + below(40) }, () => below(256)))
    // Not by chance the first byte of one.
    noise[0] = 0x4c
    bus.give(noise)
    dropped++
  }
  t.equal(server.metrics().bus.malformed, dropped)

  bus.give(whole)
  bus.give(new Uint8Array(broadcast('a plain view is as good')))
  t.strictSame(await wire.lines(2), ['text hello', 'text a plain view is as good'], 'and what is one comes')
  t.equal(server.metrics().bus.malformed, dropped)
  await turn()
  t.strictSame(warnings.sort(), ['KORE_WS_FOREIGN_VERSION', 'KORE_WS_MALFORMED'], 'each once')
  t.strictSame(journal.lines, ['open'], 'no connection had a part in it')
})
