/** Groups 12 and 13: permessage-deflate (RFC 7692) over different data, and with different parameters. */
import type { CorpusName } from '../corpus/index.ts'
import type { Case, CompressedCase, DeflateWish } from '../case.ts'
import { amount, CLEAN } from './build.ts'

const COUNT = 1000

/** Length of a message, seconds for a thousand of them, octets per frame (0: one frame). */
const ROWS: readonly (readonly [length: number, limit: number, fragment: number])[] = [
  [16, 60, 0],
  [64, 60, 0],
  [256, 120, 0],
  [1024, 240, 0],
  ...[4096, 8192, 16_384, 32_768, 65_536, 131_072].map(length => [length, 480, 0] as const),
  ...[8192, 16_384, 32_768, 65_536, 131_072].map(length => [length, 480, 256] as const),
  ...[1024, 4096, 32_768].map(fragment => [131_072, 480, fragment] as const),
]

const CORPORA: readonly CorpusName[] = ['json', 'image', 'prose', 'html', 'document']

const NO_WISH: DeflateWish = { noContextTakeover: false, windowBits: 0 }

/** What group 13 asks for, in the order of its subgroups; the last one would take less if it has to. */
const WISHES: readonly (readonly DeflateWish[])[] = [
  [NO_WISH],
  [{ noContextTakeover: true, windowBits: 0 }],
  [{ noContextTakeover: false, windowBits: 9 }],
  [{ noContextTakeover: false, windowBits: 15 }],
  [{ noContextTakeover: true, windowBits: 9 }],
  [{ noContextTakeover: true, windowBits: 15 }],
  [{ noContextTakeover: true, windowBits: 9 }, { noContextTakeover: true, windowBits: 0 }, NO_WISH],
]

function group(prefix: string, corpus: CorpusName, wishes: readonly DeflateWish[]): CompressedCase[] {
  return ROWS.map(([length, limit, fragment], index) => {
    const frames = fragment === 0 ? '' : `, in frames of ${amount(fragment)}`
    const unit = corpus === 'html' ? 'characters' : 'bytes'
    return {
      kind: 'compressed',
      id: `${prefix}.${index + 1}`,
      sends: `1,000 compressed messages of ${amount(length, unit)} of ${corpus}${frames}, one after the other.`,
      expects: `Each comes back as it was, within ${limit} seconds for all; then a clean close.`,
      close: CLEAN,
      corpus,
      length,
      count: COUNT,
      limit,
      fragment,
      wishes,
    }
  })
}

export const COMPRESSION: readonly Case[] = [
  ...CORPORA.flatMap((corpus, index) => group(`12.${index + 1}`, corpus, [NO_WISH])),
  ...WISHES.flatMap((wishes, index) => group(`13.${index + 1}`, 'json', wishes)),
]
