/** Text to compress that looks like what programs send: JSON of an exact size, the same in every run. */

const NAMES = ['mara', 'jonas', 'ingrid', 'tomasz', 'aiko', 'lucia', 'femi', 'rafael', 'noor', 'heinrich', 'sofia', 'bela']
const EVENTS = ['order.created', 'order.paid', 'cart.updated', 'user.joined', 'user.left', 'price.changed', 'stock.low']
const WORDS =
  'the of and to in is that it was for on are as with they at be this from have or by one had not but what all were when ' +
  'we there can an your which their said if do will each about how up out them then she many some so these would other'
const VOCABULARY = WORDS.split(' ')

/** @param {number} count of messages, no two alike @param {number} size of each, in bytes: 64, or 80 and more */
export function jsonTexts(count, size) {
  const random = seeded(size)
  return Array.from({ length: count }, (_, i) => jsonText(random, 10_000 + i, size))
}

function jsonText(random, number, size) {
  // Even the smallest has something to compress: some servers send as it is what would not get shorter.
  const content = { number, from: place(random), to: place(random) }
  if (JSON.stringify(content).length === size) return JSON.stringify(content)
  const items = []
  for (;;) {
    const item = record(random)
    if (render({ ...content, items: [...items, item] }, '').length > size) break
    items.push(item)
  }
  const whole = items.length === 0 ? content : { ...content, items }
  return render(whole, prose(random, size - render(whole, '').length))
}

function render(content, note) {
  return JSON.stringify({ ...content, note })
}

function place(random) {
  return { x: 400 + Math.floor(random() * 50), y: 400 + Math.floor(random() * 50) }
}

function record(random) {
  return {
    id: Math.floor(random() * 1e6),
    user: pick(random, NAMES),
    event: pick(random, EVENTS),
    price: Math.round(random() * 1e5) / 100,
    at: new Date(1.77e12 + Math.floor(random() * 1e10)).toISOString(),
  }
}

function prose(random, size) {
  let text = ''
  while (text.length < size) text += `${pick(random, VOCABULARY)} `
  return text.slice(0, size)
}

function pick(random, list) {
  return list[Math.floor(random() * list.length)]
}

/** Numbers from 0 to 1 that a seed decides: xorshift. */
function seeded(seed) {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
