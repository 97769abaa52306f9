import t from 'tap'
import { FrameReader } from '../../../lib/conformance/wire/frame-reader.ts'
import { bytes, frame, hex, masked } from '../../helpers/frames.ts'

/** What a reader says about bytes: `opcode fin rsv payload`, or a complaint. */
function read(stream: string, isMasked: boolean, chunk = Infinity): string[] {
  const said: string[] = []
  const reader = new FrameReader(
    isMasked,
    ({ opcode, fin, rsv, payload }) =>
      said.push(`${opcode} ${fin} ${rsv} ${hex(payload).slice(0, 40)} ${payload.length}`),
    sentence => said.push(sentence)
  )
  const all = bytes(stream)
  // The reader may write to what it is given.
  for (let at = 0; at < all.length; at += chunk) reader.push(Buffer.from(all.subarray(at, at + chunk)))
  return said
}

const STREAMS: readonly (readonly [name: string, stream: string, said: readonly string[]])[] = [
  ['an empty frame', '8100', ['1 true 0  0']],
  ['frames behind each other', '0102616200016382018a', ['1 false 0 6162 2', '0 false 0 63 1', '2 true 0 8a 1']],
  ['reserved bits and opcodes', 'ff00c3019b', ['15 true 7  0', '3 true 4 9b 1']],
  ['a 16-bit length', frame('82', Buffer.alloc(126, 1)), ['2 true 0 ' + '01'.repeat(20) + ' 126']],
  ['a 64-bit length', frame('82', Buffer.alloc(65_536, 2)), ['2 true 0 ' + '02'.repeat(20) + ' 65536']],
  ['16 bits that were not needed', '8a00827e007d', ['10 true 0  0', 'a length in more bytes than it needs']],
  ['64 bits that were not needed', '827f000000000000ffff', ['a length in more bytes than it needs']],
  ['a frame that is too large', '827f0000000002000001', ['a frame of 33554433 bytes']],
  ['a length that no number holds', '827fffffffffffffffff', ['a frame of 18446744073709552000 bytes']],
]

for (const [name, stream, said] of STREAMS) {
  t.test(`${name}: whole, and in pieces`, async t => {
    const small = stream.length < 1000
    for (const chunk of small ? [Infinity, 1, 2, 3] : [Infinity, 1000, 7])
      t.same(read(stream, false, chunk), said, `${chunk}`)
  })
}

t.test('masked frames are unmasked', async t => {
  const stream = masked(frame('81', 'Hello')) + masked('8a00') + masked(frame('82', Buffer.alloc(300, 9)), '01020304')
  for (const chunk of [Infinity, 1, 5, 100]) {
    t.same(
      read(stream, true, chunk),
      ['1 true 0 48656c6c6f 5', '10 true 0  0', '2 true 0 ' + '09'.repeat(20) + ' 300'],
      `${chunk}`
    )
  }
})

t.test('masking is a matter of the side', async t => {
  t.same(read(masked('8100'), false), ['a frame that is masked'])
  t.same(read('8100', true), ['a frame that is not masked'])
})

t.test('after a complaint, or when it is told to, it reads no more', async t => {
  for (const chunk of [Infinity, 4]) {
    t.same(read('827e0001' + '8100' + '8100', false, chunk), ['a length in more bytes than it needs'], `${chunk}`)
  }
  const said: number[] = []
  const reader = new FrameReader(
    false,
    ({ opcode }) => {
      said.push(opcode)
      reader.stop()
    },
    () => t.fail('nothing is wrong')
  )
  reader.push(bytes('81008200'))
  reader.push(bytes('8200'))
  t.same(said, [1])
})
