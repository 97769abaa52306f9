/** The byte sequences of cases 6.5 to 6.23: what UTF-8 allows and what it does not (RFC 3629). */

/** Bytes as hex, and whether they are valid. */
type Row = readonly [digits: string, valid: boolean]

/** Cases 6.group.1, 6.group.2 and so on. */
export interface SequenceGroup {
  readonly group: number
  readonly title: string
  readonly rows: readonly Row[]
}

function valid(list: string): Row[] {
  return list
    .trim()
    .split(/\s+/)
    .map(digits => [digits, true])
}

function invalid(list: string): Row[] {
  return list
    .trim()
    .split(/\s+/)
    .map(digits => [digits, false])
}

/** All bytes of a range, each with the same digits behind it. */
function range(first: number, last: number, behind = ''): string {
  let digits = ''
  for (let byte = first; byte <= last; byte++) digits += byte.toString(16) + behind
  return digits
}

const SPACE = '20'

const WORD = 'cebae1bdb9cf83cebcceb5'
/** Where a character of the word ends. */
const BORDERS = [2, 5, 7, 9, 11]

const TITLED: readonly (readonly [title: string, rows: readonly Row[]])[] = [
  [
    'A valid text',
    valid(`
      68656c6c6f24776f726c64 68656c6c6fc2a2776f726c64 68656c6c6fe282ac776f726c64 68656c6c6ff0a4ada2776f726c64 ${WORD}
    `),
  ],
  [
    'The start of a valid text, cut after each byte in turn',
    Array.from({ length: WORD.length / 2 }, (_, index): Row => [
      WORD.slice(0, 2 * index + 2),
      BORDERS.includes(index + 1),
    ]),
  ],
  ['The first character of each length', valid('00 c280 e0a080 f0908080')],
  ['The first sequence of five and of six bytes, which no longer exist', invalid('f888808080 fc8480808080')],
  ['The last character of each length', valid('7f dfbf efbfbf f48fbfbf')],
  ['The last sequence of four, five and six bytes, beyond U+10FFFF', invalid('f7bfbfbf fbbfbfbfbf fdbfbfbfbfbf')],
  ['Around the borders of what is allowed', [...valid('ed9fbf ee8080 efbfbd f48fbfbf'), ...invalid('f4908080')]],
  [
    'Continuation bytes with nothing before them',
    invalid(`80 bf 80bf 80bf80 80bf80bf 80bf80bf80 80bf80bf80bf ${range(0x80, 0xbe)}`),
  ],
  [
    'First bytes, each with a space behind it',
    invalid(
      [
        [0xc0, 0xde],
        [0xe0, 0xee],
        [0xf0, 0xf6],
        [0xf8, 0xfa],
        [0xfc, 0xfc],
      ]
        .map(([first, last]) => range(first, last, SPACE))
        .join(' ')
    ),
  ],
  [
    'A sequence without its last byte',
    invalid('c0 e080 f08080 f8808080 fc80808080 df efbf f7bfbf fbbfbfbf fdbfbfbfbf'),
  ],
  [
    'All sequences without their last bytes, one behind the other',
    invalid('c0e080f08080f8808080fc80808080dfefbff7bfbffbbfbfbffdbfbfbfbf'),
  ],
  ['Bytes that occur nowhere in UTF-8', invalid('fe ff fefeffff')],
  ['A slash in more bytes than it needs', invalid('c0af e080af f08080af f8808080af fc80808080af')],
  [
    'The last character that would have fitted into fewer bytes',
    invalid('c1bf e09fbf f08fbfbf f887bfbfbf fc83bfbfbfbf'),
  ],
  ['NUL in more bytes than it needs', invalid('c080 e08080 f0808080 f880808080 fc8080808080')],
  ['A surrogate alone', invalid('eda080 edadbf edae80 edafbf edb080 edbe80 edbfbf')],
  [
    'A pair of surrogates',
    invalid(`
      eda080edb080 eda080edbfbf edadbfedb080 edadbfedbfbf edae80edb080 edae80edbfbf edafbfedb080 edafbfedbfbf
    `),
  ],
  [
    'A code point that is no character, but valid',
    valid(`
      efbfbe efbfbf f09fbfbe f09fbfbf f0afbfbe f0afbfbf f0bfbfbe f0bfbfbf f18fbfbe f18fbfbf f19fbfbe f19fbfbf
      f1afbfbe f1afbfbf f1bfbfbe f1bfbfbf f28fbfbe f28fbfbf f29fbfbe f29fbfbf f2afbfbe f2afbfbf f2bfbfbe f2bfbfbf
      f38fbfbe f38fbfbf f39fbfbe f39fbfbf f3afbfbe f3afbfbf f3bfbfbe f3bfbfbf f48fbfbe f48fbfbf
    `),
  ],
  ['A special code point', valid('efbfb9 efbfba efbfbb efbfbc efbfbd efbfbe efbfbf')],
]

/** The groups' numbers go on from those of the cases that are written out. */
const FIRST_GROUP = 5

export const SEQUENCES: readonly SequenceGroup[] = TITLED.map(([title, rows], index) => {
  return { group: FIRST_GROUP + index, title, rows }
})
