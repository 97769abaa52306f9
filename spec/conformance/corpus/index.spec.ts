import t from 'tap'
import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { corpusOf, type CorpusName } from '../../../lib/conformance/corpus/index.ts'

/** What is in them is the same everywhere and always: reports can be compared. */
const KNOWN: readonly (readonly [name: CorpusName, text: boolean, length: number, bytes: number, digest: string])[] = [
  ['json', true, 194_560, 194_560, 'fe659cad1fdae70b'],
  ['image', false, 264_192, 264_192, '4e2fc85c3cf33363'],
  ['prose', false, 223_232, 223_232, 'ee656c2723e6520e'],
  ['html', true, 264_192, 264_338, 'f6b65825f5114191'],
  ['document', false, 1_040_384, 1_040_384, '307b6052901beb54'],
]

/** How well each kind deflates: less than all of it, but not to nothing. */
const RATIOS: Readonly<Record<CorpusName, readonly [least: number, most: number]>> = {
  json: [0.15, 0.35],
  image: [0.7, 0.95],
  prose: [0.25, 0.5],
  html: [0.1, 0.35],
  document: [0.6, 0.95],
}

for (const [name, text, length, size, digest] of KNOWN) {
  t.test(name, async t => {
    const corpus = corpusOf(name)
    t.equal(corpusOf(name), corpus, 'made once')
    t.match({ text: corpus.text, length: corpus.length, size: corpus.bytes.length }, { text, length, size })
    const ratio = deflateRawSync(corpus.bytes).length / size
    const [least, most] = RATIOS[name]
    t.ok(ratio > least && ratio < most, `deflates to ${ratio.toFixed(2)} of its size`)
    t.equal(createHash('sha256').update(corpus.bytes).digest('hex').slice(0, 16), digest)
  })
}

t.test('JSON is ASCII, and JSON up to where it is cut', async t => {
  const text = corpusOf('json').bytes.toString('latin1')
  t.match(text, /^[\n\x20-\x7e]*$/)
  const records = text.slice(0, text.lastIndexOf(',\n{'))
  t.ok((JSON.parse(`${records}]`) as unknown[]).length > 100)
})

t.test('HTML has characters of one to four bytes, and their places', async t => {
  const { bytes, offsets, length } = corpusOf('html')
  t.ok(isUtf8(bytes))
  const text = bytes.toString()
  for (const character of ['é', '日', '🎈']) t.ok(text.includes(character))
  const points = [...text]
  t.equal(points.length, length)
  t.equal(offsets?.length, length + 1)
  for (let at = 0; at < length; at += 97) {
    const piece = bytes.toString('utf8', offsets?.[at], offsets?.[at + 1])
    if (piece !== points[at]) t.fail(`unit ${at}`)
  }
  t.equal(offsets?.[length], bytes.length)
})

t.test('prose has umlauts, and lines that can be read', async t => {
  const lines = corpusOf('prose').bytes.toString().split('\n')
  t.ok(lines.some(line => /[äöüß]/.test(line)))
  t.ok(lines.every(line => line.length <= 80))
})

t.test('the image is a bitmap of 512 by 512 pixels', async t => {
  const { bytes } = corpusOf('image')
  t.equal(bytes.toString('latin1', 0, 2), 'BM')
  t.same([bytes.readUInt32LE(2), bytes.readUInt32LE(10)], [bytes.length, bytes.length - 512 * 512])
  t.same([bytes.readInt32LE(18), bytes.readInt32LE(22), bytes.readUInt16LE(28)], [512, 512, 8])
})

t.test('the document has streams that are compressed, and some that are not', async t => {
  const text = corpusOf('document').bytes.toString('latin1')
  t.match(text, /^%PDF-1\.4\n1 0 obj\n/)
  t.ok(text.split('endstream').length > 50)
})

t.test('messages of 2^n units repeat late: the lengths are odd multiples', async t => {
  for (const [name, , length] of KNOWN) {
    const unit = name === 'document' ? 8192 : 2048
    t.equal((length / unit) % 2, 1, name)
  }
})
