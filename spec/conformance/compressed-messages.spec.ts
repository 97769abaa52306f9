import t from 'tap'
import { constants, createDeflateRaw, createInflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib'
import type { CompressedCase } from '../../lib/conformance/case.ts'
import { CASES } from '../../lib/conformance/cases/index.ts'
import { compressedMessages } from '../../lib/conformance/compressed-messages.ts'
import { corpusOf } from '../../lib/conformance/corpus/index.ts'
import type { Messages } from '../../lib/conformance/echoes.ts'
import type { Peer } from '../../lib/conformance/peer.ts'
import type { Agreement, Direction } from '../../lib/conformance/wire/extension.ts'

const TAIL = Buffer.from('0000ffff', 'hex')
const SYNC = { finishFlush: constants.Z_SYNC_FLUSH }

interface Started {
  readonly messages: Messages
  /** What was given to the peer to send: opcode, reserved bits, payload. */
  readonly sent: { opcode: number; rsv: number; payload: Buffer }[]
}

/** The messages of a case, with a peer that keeps what it has to send; the other side compresses as `theirs` says. */
function start(
  id: string,
  mine: Partial<Direction> = {},
  theirs: Partial<Direction> = {},
  more: Partial<CompressedCase> = {}
): Started {
  const found = CASES.find((one): one is CompressedCase => one.kind === 'compressed' && one.id === id)
  if (found === undefined) throw new Error(id)
  const one = { ...found, ...more }
  const whole = { contextTakeover: true, windowBits: 15 }
  const agreement: Agreement = { client: { ...whole, ...mine }, server: { ...whole, ...theirs } }
  const sent: Started['sent'] = []
  const peer = {
    sendMessage: (opcode: number, rsv: number, payload: Buffer) => void sent.push({ opcode, rsv, payload }),
  }
  // All that the messages need of a peer.
  return { messages: compressedMessages(one, agreement, peer as unknown as Peer, false, 1000), sent }
}

/** Message `index` as the corpus has it. */
function pieceOf(name: 'json' | 'image' | 'html', length: number, index: number): Buffer {
  const units = [...corpusOf(name).bytes.toString(name === 'image' ? 'latin1' : 'utf8')]
  const piece = Array.from({ length }, (_, at) => units[(index * length + at) % units.length]).join('')
  return Buffer.from(piece, name === 'image' ? 'latin1' : 'utf8')
}

/** A stream's output for one input after another: a real context, as a peer has it. */
async function through(
  stream: ReturnType<typeof createInflateRaw> | ReturnType<typeof createDeflateRaw>,
  inputs: readonly Buffer[]
): Promise<Buffer[]> {
  const outputs: Buffer[] = []
  for (const input of inputs) {
    const chunks: Buffer[] = []
    const keep = (chunk: Buffer): void => void chunks.push(chunk)
    stream.on('data', keep)
    stream.write(input)
    await new Promise<void>(resolve => stream.flush(constants.Z_SYNC_FLUSH, resolve))
    stream.off('data', keep)
    outputs.push(Buffer.concat(chunks))
  }
  stream.destroy()
  return outputs
}

t.test('pieces of the corpus, one behind the other and around, over one context: zlib itself reads them', async t => {
  // The JSON corpus is 95 times 2,048 units: after 95 messages they are the same as before.
  for (const [id, name, length, count] of [
    ['12.1.4', 'json', 1024, 200],
    ['12.2.5', 'image', 4096, 140],
    ['12.4.10', 'html', 131_072, 4],
  ] as const) {
    const { messages, sent } = start(id)
    for (let index = 0; index < count; index++) messages.send(index)
    const plain = await through(
      createInflateRaw(),
      sent.map(({ payload }) => Buffer.concat([payload, TAIL]))
    )
    t.ok(sent.every(({ opcode, rsv }) => rsv === 4 && opcode === (name === 'image' ? 2 : 1)))
    for (const index of [0, 1, 2, count - 1])
      t.ok(plain[index].equals(pieceOf(name, length, index)), `${id}, message ${index}`)
    t.ok(
      plain.every((bytes, index) => bytes.equals(pieceOf(name, length, index))),
      id
    )
  }
})

t.test('the context is used: messages refer back, unless they must not', async t => {
  const sizes = [true, false].map(contextTakeover => {
    const { messages, sent } = start('12.1.3', { contextTakeover })
    for (let index = 0; index < 100; index++) messages.send(index)
    for (const { payload } of sent) if (!contextTakeover) inflateRawSync(Buffer.concat([payload, TAIL]), SYNC)
    return sent.reduce((sum, { payload }) => sum + payload.length, 0)
  })
  t.ok(sizes[0] < 0.8 * sizes[1], sizes.join())
})

t.test('a window of 9 bits is kept to', async t => {
  const { messages, sent } = start('13.3.6', { windowBits: 9, contextTakeover: false })
  for (let index = 0; index < 20; index++) messages.send(index)
  for (const { payload } of sent)
    inflateRawSync(Buffer.concat([payload, TAIL]), { ...SYNC, windowBits: 9, chunkSize: 64 })
  t.equal(sent.length, 20)
})

t.test('echoes of a peer with a context of its own are understood, three rounds of them', async t => {
  const plain = Array.from({ length: 300 }, (_, index) => pieceOf('json', 2048, index))
  for (const windowBits of [15, 10]) {
    const { messages } = start('12.1.1', {}, { windowBits }, { length: 2048 })
    const echoes = (await through(createDeflateRaw({ windowBits }), plain)).map(bytes => bytes.subarray(0, -4))
    const said = echoes.map((payload, index) => messages.check(index, 1, payload, true))
    t.same(new Set(said), new Set([undefined]), `${windowBits}`)
  }
})

t.test('what is wrong with an echo', async t => {
  const { messages } = start('13.2.4', {}, { contextTakeover: false })
  const piece = pieceOf('json', 1024, 0)
  const pack = (bytes: Buffer, options = {}): Buffer => deflateRawSync(bytes, { ...SYNC, ...options }).subarray(0, -4)
  const cases: [payload: Buffer, opcode: 1 | 2, compressed: boolean, complaint: RegExp | undefined][] = [
    [pack(piece), 1, true, undefined],
    [piece, 1, false, undefined],
    [pack(piece), 2, true, /it is binary, and text was sent/],
    [pack(piece.subarray(1)), 1, true, /1023 bytes, and 1024 were sent/],
    [pack(Buffer.concat([piece, piece])), 1, true, /more than the 1024 bytes/],
    [pack(Buffer.alloc(2 ** 24)), 1, true, /more than the 1024 bytes/],
    [pack(Buffer.from(piece).reverse()), 1, true, /not those that were sent/],
    [Buffer.alloc(10, 0xff), 1, true, /does not inflate/],
    [pack(piece).subarray(0, 100), 1, true, /bytes, and 1024 were sent/],
    [Buffer.alloc(0), 1, true, /0 bytes, and 1024/],
    [pack(piece, { dictionary: corpusOf('json').bytes.subarray(0, 4096) }), 1, true, /does not inflate/],
  ]
  for (const [payload, opcode, compressed, complaint] of cases) {
    const said = messages.check(0, opcode, payload, compressed)
    if (complaint === undefined) t.equal(said, undefined)
    else t.match(said, complaint)
  }
})

t.test('a reference beyond the window that was agreed on is found', async t => {
  const { messages } = start('13.3.6', {}, { windowBits: 9, contextTakeover: false })
  const piece = pieceOf('json', 8192, 0)
  t.equal(messages.check(0, 1, deflateRawSync(piece, { ...SYNC, windowBits: 9 }).subarray(0, -4), true), undefined)
  t.match(
    messages.check(0, 1, deflateRawSync(piece, { ...SYNC, windowBits: 12 }).subarray(0, -4), true),
    /window of 512 bytes/
  )
})

t.test('messages sent uncompressed do not pass the compressor of the peer', async t => {
  const { messages } = start('12.1.3')
  const plain = Array.from({ length: 60 }, (_, index) => pieceOf('json', 256, index))
  const isPlain = (index: number): boolean => index % 3 === 1
  const packed = await through(
    createDeflateRaw(),
    plain.filter((_, index) => !isPlain(index))
  )
  const echoes = packed.map(bytes => bytes.subarray(0, -4))
  const said = plain.map((piece, index) =>
    messages.check(index, 1, isPlain(index) ? piece : (echoes.shift() as Buffer), !isPlain(index))
  )
  t.same(new Set(said), new Set([undefined]))
})
