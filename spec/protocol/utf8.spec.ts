import t from 'tap'
import { isValidUtf8, Utf8Validator } from '../../lib/protocol/utf8.ts'
import { bytes, hex } from '../helpers/frames.ts'
import { random } from '../helpers/random.ts'

/** The bytes around every border in the table of well-formed sequences (RFC 3629, section 4). */
const BORDERS = bytes('00 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff')

/** Cut characters, overlong forms, surrogates, more than U+10FFFF, and ends full of continuation bytes. */
const ODDITIES = [
  'e282ac e282',
  'f09f98',
  'f09f9880',
  'f0808080',
  'f08fbfbf',
  'f4908080',
  'e09fbf',
  'eda080',
  'edbfbf',
  'c1bf',
  'f5808080',
  '80808080',
  'e2828080',
  'f09f988080',
].map(bytes)

const RESTS = ['80', 'bf', '8080', 'bf80', '808080', 'bf8080'].map(bytes)

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder()

function isText(data: Uint8Array): boolean {
  try {
    decoder.decode(data)
    return true
  } catch {
    return false
  }
}

/** Whether some text begins with `data`; in all that is tried there is no U+FFFD but where something is wrong. */
function beginsText(data: Uint8Array): boolean {
  return RESTS.some(rest => !lenient.decode(Buffer.concat([data, rest])).includes('\ufffd'))
}

/** A byte that no text has: what lies around a piece must not be looked at. */
const AROUND = bytes('ff')

/** Pushes `data` in pieces that end at `cuts`: where the piece ended that was refused, or whether all is complete. */
function validate(data: Uint8Array, cuts: readonly number[]): boolean | number {
  const validator = new Utf8Validator()
  let from = 0
  for (const to of [...cuts, data.length]) {
    const piece = Buffer.concat([AROUND, data.subarray(from, to), AROUND])
    if (!validator.push(piece, 1, 1 + to - from)) return to
    from = to
  }
  return validator.complete
}

function byteByByte(data: Uint8Array): boolean | number {
  return validate(data, Array.from(data, (_, i) => i))
}

/** What byteByByte has to say: the first byte that no text goes on with, else whether the text is whole. */
function reference(data: Uint8Array): boolean | number {
  let from = 0
  for (let to = 1; to <= data.length; to++) {
    const kind = kindOf(data.subarray(from, to))
    if (kind === 'wrong') return to
    if (kind === 'whole') from = to
  }
  return from === data.length
}

type Kind = 'whole' | 'begun' | 'wrong'
const known = new Map<string, Kind>()

/** What the bytes of one character, or its first ones, are. */
function kindOf(character: Uint8Array): Kind {
  const key = hex(character)
  const kind = known.get(key) ?? (isText(character) ? 'whole' : beginsText(character) ? 'begun' : 'wrong')
  known.set(key, kind)
  return kind
}

function sequences(length: number, alphabet: Iterable<number>): Buffer[] {
  const letters = [...alphabet]
  let all: number[][] = [[]]
  for (let i = 0; i < length; i++) all = all.flatMap(head => letters.map(letter => [...head, letter]))
  return all.map(sequence => Buffer.from(sequence))
}

function mismatches(all: readonly Buffer[]): string[] {
  return all.filter(data => byteByByte(data) !== reference(data)).map(hex)
}

t.test('RFC 3629: every sequence of one and two bytes, refused at its first bad byte', async t => {
  t.strictSame(mismatches(sequences(1, Array(256).keys())), [])
  t.strictSame(mismatches(sequences(2, Array(256).keys())), [])
})

t.test('RFC 3629: sequences of three and four bytes over all borders, refused at their first bad byte', async t => {
  t.strictSame(mismatches(sequences(3, BORDERS)), [])
  const leads = bytes('c2 e0 ed ef f0 f1 f3 f4 f5')
  const tails = sequences(3, bytes('7f 80 8f 90 9f a0 bf c0'))
  t.strictSame(mismatches(tails.flatMap(tail => Array.from(leads, lead => Buffer.from([lead, ...tail])))), [])
})

t.test('RFC 3629: every character, alone', async t => {
  const wrong: number[] = []
  for (let point = 0; point <= 0x10ffff; point += point < 0x3000 || point > 0x10ff00 ? 1 : 37) {
    const surrogate = point >= 0xd800 && point <= 0xdfff
    if (!surrogate && byteByByte(Buffer.from(String.fromCodePoint(point))) !== true) wrong.push(point)
  }
  t.strictSame(wrong, [])
})

t.test('8.1: any of it behind, before and between long text, in one piece and cut in two', async t => {
  const fillers = [0, 44, 45, 46, 47, 48, 49, 60].map(length => Buffer.alloc(length, 'a'))
  const wrong: string[] = []
  for (const sequence of sequences(2, bytes('61 80 bf c2 e2 f0 f4 ff')).concat(ODDITIES)) {
    for (const filler of fillers) {
      for (const data of [Buffer.concat([filler, sequence]), Buffer.concat([sequence, filler])]) {
        const whole = isText(data)
        const cuts = [0, 1, 2, 3, data.length - 1].filter(cut => cut <= data.length)
        if (cuts.some(cut => (validate(data, [cut]) === true) !== whole)) wrong.push(hex(data))
        if (isValidUtf8(data, 0, data.length) !== whole) wrong.push(hex(data))
      }
    }
  }
  t.strictSame(wrong, [])
})

t.test('8.1: a bad byte in a long piece is refused with that piece, not at the end', async t => {
  for (const bad of ['f490', 'eda0', 'c080', 'e080', 'ff', '80']) {
    const data = Buffer.concat([Buffer.alloc(100, 'a'), bytes(bad), Buffer.alloc(100, 'a')])
    t.equal(validate(data, [110]), 110, bad)
    t.equal(validate(data, [100 + bad.length / 2]), 100 + bad.length / 2, `${bad} at the end of the piece`)
  }
})

t.test('8.1: random text and random damage, cut at random', async t => {
  const below = random(t)
  const samples = ['a', 'é', '€', '😀', '\u0000', '\u07ff', '\uffff', '\u{10ffff}', 'a'.repeat(60)]
  const wrong: string[] = []
  for (let i = 0; i < 5000; i++) {
    const text = Array.from({ length: below(20) }, () => samples[below(samples.length)]).join('')
    const data = Buffer.from(text)
    if (data.length > 0 && below(2) === 0) data[below(data.length)] = BORDERS[below(BORDERS.length)]
    const cuts = [below(data.length + 1), below(data.length + 1), below(data.length + 1)].sort((a, b) => a - b)
    if ((validate(data, cuts) === true) !== isText(data)) wrong.push(`${hex(data)} cut at ${cuts.join()}`)
  }
  t.strictSame(wrong, [])
})

t.test('only what lies between start and end counts', async t => {
  const data = bytes('ff 61 c3a9 ff')
  t.ok(isValidUtf8(data, 1, 4))
  t.notOk(isValidUtf8(data, 0, 4))
  t.notOk(isValidUtf8(data, 1, 5))
  t.notOk(isValidUtf8(data, 1, 3), 'a character that is cut is not valid')
  t.ok(isValidUtf8(data, 2, 2), 'nothing is')
  const validator = new Utf8Validator()
  t.ok(validator.push(data, 1, 3))
  t.notOk(validator.complete)
  t.ok(validator.push(data, 3, 3), 'an empty piece changes nothing')
  t.notOk(validator.complete)
  t.ok(validator.push(data, 3, 4))
  t.ok(validator.complete)
})
