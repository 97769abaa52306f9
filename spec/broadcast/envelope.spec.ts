import t from 'tap'
import { openEnvelope, sealEnvelope, type Envelope } from '../../lib/broadcast/envelope.ts'
import { Opcode } from '../../lib/protocol/opcode.ts'
import { bytes, hex } from '../helpers/frames.ts'
import { random } from '../helpers/random.ts'

const { text, binary, ping, pong } = Opcode
const TEXT: Envelope = { opcode: text, compress: undefined, topic: 'room', payload: Buffer.from('grün') }

/** As plain values, for a comparison. */
function plain(envelope: ReturnType<typeof openEnvelope>): unknown {
  if (typeof envelope === 'string') return envelope
  return { ...envelope, payload: hex(Buffer.from(envelope.payload)) }
}

t.test('the bytes of an envelope', async t => {
  t.equal(hex(sealEnvelope(TEXT)), '4b57' + '01' + '01' + '00' + '00' + '0004' + '00000005' + hex(Buffer.from('roomgrün')))
  const everybody: Envelope = { opcode: binary, compress: false, topic: undefined, payload: bytes('00ff') }
  t.equal(hex(sealEnvelope(everybody)), '4b57' + '01' + '02' + '02' + '00' + 'ffff' + '00000002' + '00ff')
})

t.test('what goes in comes out', async t => {
  for (const opcode of [text, binary, ping, pong]) {
    for (const compress of [undefined, true, false]) {
      for (const topic of [undefined, '', 'room', '日本語'.repeat(85)]) {
        for (const payload of [Buffer.alloc(0), Buffer.from('a'), Buffer.alloc(125, 'x')]) {
          const envelope = { opcode, compress, topic, payload }
          t.strictSame(plain(openEnvelope(sealEnvelope(envelope))), plain(envelope))
        }
      }
    }
  }
  const large = { opcode: text, compress: true, topic: undefined, payload: Buffer.alloc(200_000, 'ü') }
  t.strictSame(plain(openEnvelope(sealEnvelope(large))), plain(large))
})

t.test('what is none is malformed, and another version foreign', async t => {
  const good = hex(sealEnvelope(TEXT))
  const wrong: [why: string, hex: string][] = [
    ['nothing', ''],
    ['one byte', '4b'],
    ['a frame', '810161'],
    ['another magic', `4c${good.slice(2)}`],
    ['a continuation', good.replace('4b570101', '4b570100')],
    ['a close frame', good.replace('4b570101', '4b570108')],
    ['FIN in the opcode', good.replace('4b570101', '4b570181')],
    ['another way to compress', good.replace('4b57010100', '4b57010103')],
    ['a byte less', good.slice(0, -2)],
    ['a byte more', `${good}00`],
    ['a topic longer than all', good.replace('0004', '0fff')],
    ['a topic that is not UTF-8', good.replace('726f6f6d', '726fff6d')],
    ['text that is not UTF-8', good.replace('67', 'ff')],
    ['a ping that is too long', hex(sealEnvelope({ ...TEXT, opcode: ping, payload: Buffer.alloc(126, 'x') }))],
  ]
  for (const [why, each] of wrong) t.equal(openEnvelope(bytes(each)), 'malformed', why)
  for (let length = 0; length < good.length / 2; length++) t.equal(openEnvelope(bytes(good.slice(0, 2 * length))), 'malformed', `${length} bytes`)
  for (const version of ['00', '02', 'ff']) t.equal(openEnvelope(bytes(`4b57${version}${good.slice(6)}`)), 'foreign-version')
  t.equal(openEnvelope(bytes('4b5702')), 'foreign-version', 'whatever follows')
})

t.test('random bytes, and envelopes with flipped bits, never throw, and are envelopes or not', async t => {
  const below = random(t)
  for (let i = 0; i < 20_000; i++) {
    const flipped = sealEnvelope(TEXT)
    for (let flips = 1 + below(3); flips > 0; flips--) flipped[below(flipped.length)] ^= 1 << below(8)
    const noise = Buffer.from(Array.from({ length: below(40) }, () => below(256)))
    for (const each of [flipped, noise]) {
      const opened = openEnvelope(each)
      if (typeof opened === 'string') continue
      if (!([text, binary, ping, pong] as Opcode[]).includes(opened.opcode)) t.fail(`opcode ${opened.opcode}`)
    }
  }
})
