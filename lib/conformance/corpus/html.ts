/** HTML: much markup, some text, a few characters that are not ASCII. */
import { pick, randomFrom, type Random } from './random.ts'
import { ascii } from './words.ts'

const SEED = 0x5eed03
/** Characters of two, three and four bytes. */
const SPECIAL = ['é', 'ø', '–', '…', '→', '日', '🎈'] as const

/** A page with a long list, a little more than `size` code points. */
export function html(size: number): string {
  const random = randomFrom(SEED)
  let page =
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>A long list</title>\n</head>\n<body>\n'
  for (let index = 0; page.length < size + size / 100; index++) page += entry(random, index)
  return `${page}</body>\n</html>\n`
}

function entry(random: Random, index: number): string {
  const words = Array.from({ length: 6 + random(20) }, () => ascii(random)).join(' ')
  const special = random(12) === 0 ? ` ${pick(random, SPECIAL)}` : ''
  const key = random(2 ** 24).toString(16)
  return (
    `<div class="entry ${pick(random, ['odd', 'even', 'last'])}" id="entry-${index}">\n` +
    `  <h2><a href="/list/${ascii(random)}/${key}" title="${ascii(random)}">${ascii(random)} ${index}</a>${special}</h2>\n` +
    `  <p data-size="${random(10_000)}"><span class="text">${words}</span> <em>${ascii(random)}</em></p>\n</div>\n`
  )
}
