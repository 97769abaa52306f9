import t from 'tap'
import { setImmediate as turn } from 'node:timers/promises'
import { Opcode } from '../../../lib/protocol/opcode.ts'
import { compressionOf, MODES, type Mode } from '../../helpers/agreed.ts'
import { hex } from '../../helpers/frames.ts'
import { Observed, ROLES } from '../../helpers/observed.ts'
import { random } from '../../helpers/random.ts'

/** Sizes at the borders of what is compressed, copied, lent and done elsewhere. */
const SIZES = [0, 1, 5, 125, 126, 1000, 1023, 1024, 8192, 16_383, 16_384, 65_535, 65_536, 65_537, 200_000]
const LETTERS = ['a', 'b', 'é', '€', '😀', '{"id":', ',', '0']

interface End extends Observed {
  /** What the other end has to get. */
  expected: string[]
}

function makeEnd(role: 'server' | 'client', mode: Mode, streaming: boolean): End {
  const compression = compressionOf(role, mode, 1024)
  const end = Object.assign(new Observed(role, { compression }), { expected: [] as string[] })
  end.endpoint.streaming = streaming
  end.hook = event => event === 'ready' && !end.endpoint.paused && end.endpoint.resume()
  return end
}

/** The messages in full: `text …`, `binary …`, pings and the close; pieces put together. */
function messagesOf(events: readonly string[]): string[] {
  const result: string[] = []
  let pieces = ''
  for (const event of events) {
    if (event.startsWith('piece ')) pieces += event.slice(event.lastIndexOf(' ') + 1)
    else if (event === 'end text') result.push(`text ${Buffer.from(pieces, 'hex').toString()}`)
    else if (event === 'end binary') result.push(`binary ${pieces}`)
    else if (!/^(busy|ready|output|pong)/.test(event)) result.push(event)
    if (event.startsWith('end ')) pieces = ''
  }
  return result
}

for (const mode of MODES) {
  for (const streaming of [false, true]) {
    const how = streaming ? 'in pieces' : 'whole'
    t.test(`RFC 7692: two endpoints exchange random messages, ${mode}, ${how}`, async t => {
      const below = random(t)
      const ends = { server: makeEnd('server', mode, streaming), client: makeEnd('client', mode, streaming) }
      for (let round = 0; round < 60; round++) {
        for (const role of ROLES) for (let i = below(4); i > 0; i--) sendRandom(ends[role], below)
        await carry(ends.server, ends.client, below, 1)
      }
      const busy = (): boolean => ROLES.some(role => ends[role].output.promised > 0)
      while (busy()) await carry(ends.server, ends.client, below, 1)
      for (const role of ROLES) ends[role].endpoint.close(1000)
      const open = (): boolean => ROLES.some(role => !ends[role].events.some(event => event.startsWith('close')))
      for (let i = 0; open() && i < 5000; i++) await carry(ends.server, ends.client, below, 1)
      for (const [from, to] of [[ends.server, ends.client], [ends.client, ends.server]] as const) {
        const got = messagesOf(to.events)
        const wrong = [...from.expected, 'close 1000'].findIndex((message, i) => message !== got[i])
        t.equal(wrong, -1, `${to.role}: message ${wrong} is ${got[wrong]?.slice(0, 60)}`)
        t.equal(got.length, from.expected.length + 1)
        t.equal(from.output.promised, 0)
      }
    })
  }
}

/** One message, ping or message in parts. */
function sendRandom(end: End, below: (below: number) => number): void {
  const { endpoint, expected } = end
  const size = below(2) === 0 ? SIZES[below(SIZES.length)] : below(3000)
  const compress = [undefined, undefined, true, false][below(4)]
  const kind = below(8)
  if (kind === 0) {
    const parts = Array.from({ length: 1 + below(4) }, () => randomBytes(below(3000), below))
    expected.push(`binary ${hex(Buffer.concat(parts))}`)
    endpoint.whenSent(0, () => {
      endpoint.beginParts()
      for (const [i, part] of parts.entries()) {
        endpoint.sendPart(i === 0 ? Opcode.binary : Opcode.continuation, part, i === parts.length - 1)
      }
    })
  } else if (kind < 4) {
    const data = randomBytes(size, below)
    expected.push(`binary ${hex(data)}`)
    const lent = below(2) === 0
    endpoint.send(Opcode.binary, data, lent, compress)
    if (lent) data.fill(0xaa)
  } else {
    const text = randomText(size, below)
    // A lone surrogate becomes U+FFFD.
    expected.push(`text ${Buffer.from(text).toString()}`)
    if (below(4) === 0) endpoint.send(Opcode.text, Buffer.from(text), false, compress)
    else endpoint.send(Opcode.text, text, false, compress)
  }
}

/** Carries what has been written, in reads of random sizes; now and then an end pauses. */
async function carry(one: End, other: End, below: (below: number) => number, turns: number): Promise<void> {
  for (const [from, to] of [[one, other], [other, one]] as const) {
    const wire = from.output.take()
    if (below(8) === 0) to.endpoint.pause()
    for (let at = 0; at < wire.length; ) {
      const size = below(3) === 0 ? 1 + below(200) : 1 + below(70_000)
      const chunk = Buffer.from(wire.subarray(at, at + size))
      to.endpoint.receive(chunk)
      chunk.fill(0xaa)
      at += size
    }
    if (to.endpoint.paused && below(2) === 0) to.endpoint.resume()
  }
  for (let i = 0; i < turns; i++) await turn()
}

function randomBytes(size: number, below: (below: number) => number): Buffer {
  const range = below(2) === 0 ? 256 : 4
  return Buffer.from(Array.from({ length: size }, () => below(range)))
}

/** About `size` bytes of UTF-8; compresses well, or not at all. */
function randomText(size: number, below: (below: number) => number): string {
  const word = Array.from({ length: 20 }, () => LETTERS[below(LETTERS.length)]).join('')
  if (below(2) === 0) return word.repeat(Math.ceil(size / word.length)).slice(0, size)
  return Array.from({ length: size }, () => String.fromCharCode(0x20 + below(0x5f))).join('')
}
