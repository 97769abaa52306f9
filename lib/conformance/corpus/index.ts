/** The data of the compressed cases: five corpora of the kinds and sizes that Autobahn has, made here from seeds. */
import { document } from './document.ts'
import { html } from './html.ts'
import { image } from './image.ts'
import { json } from './json.ts'
import { prose } from './prose.ts'

export type CorpusName = 'json' | 'image' | 'prose' | 'html' | 'document'

export interface Corpus {
  /** Sent as text messages; as binary ones otherwise. */
  readonly text: boolean
  /** In units: code points of a text, bytes of the others. */
  readonly length: number
  readonly bytes: Buffer
  /** Where each unit begins, and where the last one ends; undefined where every unit is one byte. */
  readonly offsets: Uint32Array | undefined
}

/**
 * Units of each corpus. All are odd multiples of 2,048 (the document's of 8,192): messages of 2^n units, taken one
 * behind the other, around and around, repeat after so many messages, and never sooner.
 */
const LENGTHS: Readonly<Record<CorpusName, number>> = {
  json: 95 * 2048,
  image: 129 * 2048,
  prose: 109 * 2048,
  html: 129 * 2048,
  document: 127 * 8192,
}

const MAKERS: Readonly<Record<CorpusName, (length: number) => Corpus>> = {
  json: length => textCorpus(json(length), length),
  image: length => byteCorpus(image(length), length),
  prose: length => byteCorpus(Buffer.from(prose(length)), length),
  html: length => textCorpus(html(length), length),
  document: length => byteCorpus(document(length), length),
}

const made = new Map<CorpusName, Corpus>()

/** Made at the first call, and kept. */
export function corpusOf(name: CorpusName): Corpus {
  let corpus = made.get(name)
  if (corpus === undefined) {
    corpus = MAKERS[name](LENGTHS[name])
    made.set(name, corpus)
  }
  return corpus
}

function byteCorpus(bytes: Buffer, length: number): Corpus {
  return { text: false, length, bytes: bytes.subarray(0, length), offsets: undefined }
}

/** Cut to `length` code points. */
function textCorpus(text: string, length: number): Corpus {
  const bytes = Buffer.from([...text].slice(0, length).join(''))
  if (bytes.length === length) return { text: true, length, bytes, offsets: undefined }
  const offsets = new Uint32Array(length + 1)
  let unit = 0
  for (let at = 0; at < bytes.length; at++) {
    if ((bytes[at] & 0xc0) !== 0x80) offsets[unit++] = at
  }
  offsets[length] = bytes.length
  return { text: true, length, bytes, offsets }
}
