/** What a peer of the random attacker does, each for a moment and with a bounded amount of bytes. */
import { deflate, deflateFinally } from '../harness/deflate.js'
import { Opcode, frame, repeated, request } from '../harness/wire.js'

const KIBI = 1024
const MIBI = 1024 * KIBI
const MESSAGE = 16 * MIBI
const SIZES = [0, 1, 20, 125, 126, 1000, 4 * KIBI, 20 * KIBI, 62 * KIBI, 70 * KIBI, 300 * KIBI]
/** Now and then. */
const LARGE = [2 * MIBI, 4 * MIBI, MESSAGE]
const EURO = Buffer.from('€')
const COMPRESSED = { compressed: true }

const [SMALL_BOMB, MIDDLE_BOMB, LARGE_BOMB] = [256 * KIBI, 7 * MIBI, 15 * MIBI].map(size => deflate(Buffer.alloc(size, 'a')))
const TOO_LARGE = deflate(Buffer.alloc(64 * MIBI))
const FINAL_BLOCKS = repeated(frame(Opcode.binary, deflateFinally(Buffer.alloc(30_000), 16), COMPRESSED), 60 * KIBI)
const FLOODS = {
  'tiny messages': repeated(frame(Opcode.text, 'a')),
  pings: repeated(frame(Opcode.ping, 'p'.repeat(125))),
}

/** Each takes a peer whose handshake is done. */
export const BEHAVIOURS = {
  async texts(peer, random) {
    for (let left = 1 + random.below(8); left > 0; left--) peer.write(text(sizeOf(random), random))
  },
  async binary(peer, random) {
    for (let left = 1 + random.below(8); left > 0; left--) peer.write(frame(Opcode.binary, Buffer.alloc(sizeOf(random))))
  },
  async bombs(peer, random) {
    const [bomb, most] = random.pick([[SMALL_BOMB, 20], [MIDDLE_BOMB, 15], [LARGE_BOMB, 2], [TOO_LARGE, 1]])
    for (let left = 1 + random.below(most); left > 0; left--) peer.write(frame(Opcode.binary, bomb, COMPRESSED))
  },
  async 'final blocks'(peer, random) {
    await peer.flood(FINAL_BLOCKS, { until: soon(random), times: 1 + random.below(2) })
  },
  async 'tiny fragments'(peer, random) {
    peer.write(frame(Opcode.text, '', { fin: false }))
    const fragments = repeated(frame(Opcode.continuation, random.pick(['', 'a']), { fin: false }))
    await peer.flood(fragments, { until: soon(random), times: 1 + random.below(10) })
    peer.write(frame(Opcode.continuation))
  },
  async floods(peer, random) {
    await peer.flood(random.pick(Object.values(FLOODS)), { until: soon(random), times: 1 + random.below(10) })
  },
  async deafness(peer, random) {
    peer.deafen()
    await peer.flood(text(random.pick(SIZES), random), { until: soon(random), times: 1 + random.below(2000) })
    if (random.oneIn(2)) peer.socket.resume()
  },
  async topics(peer, random) {
    const tail = 'n'.repeat(random.pick([0, 100, 4 * KIBI, 64 * KIBI]))
    for (let left = 1 + random.below(100); left > 0; left--)
      peer.write(frame(Opcode.text, `${random.pick(['+', '+', '-'])}${random.below(1e6)}`.padEnd(20, '.') + tail))
  },
  async 'unfinished message'(peer, random) {
    peer.write(frame(random.pick([Opcode.text, Opcode.binary]), '', { length: MESSAGE }))
    await peer.flood(Buffer.alloc(64 * KIBI, 'u'), { until: soon(random), times: random.below(100) })
  },
  async trickle(peer, random) {
    const bytes = text(100, random)
    for (const byte of bytes.subarray(0, 50)) {
      peer.write(Buffer.of(byte))
      await pause(random.below(10))
    }
    peer.write(bytes.subarray(50))
  },
  async garbage(peer, random) {
    peer.write(random.bytes(1 + random.below(200)))
  },
}

/** Each takes a peer that has only connected. */
export const BEGINNINGS = {
  async 'half a handshake'(peer, random) {
    const whole = request('/echo', linesOf(random))
    peer.write(whole.slice(0, random.below(whole.length)))
  },
  async 'byte by byte'(peer, random) {
    for (const byte of request('/echo').slice(0, 50 + random.below(200))) {
      peer.write(byte)
      await pause(random.below(20))
    }
  },
  async 'early data'(peer, random) {
    peer.write(request('/late', linesOf(random)))
    for (let left = 1 + random.below(40); left > 0; left--) {
      peer.write(frame(Opcode.binary, Buffer.alloc(random.pick([1, 1, 100, 10 * KIBI]))))
      await pause(random.below(4))
    }
  },
  async 'pending accept'(peer, random) {
    peer.write(request(random.pick(['/never', '/thinking']), linesOf(random)))
  },
  async refusal(peer, random) {
    peer.write(request(random.pick(['/refused', '/echo']), [...linesOf(random), 'Sec-WebSocket-Key: twice']))
  },
  async 'no HTTP'(peer, random) {
    peer.write(random.bytes(1 + random.below(2000)))
  },
}

export const ENDINGS = {
  reset: peer => peer.reset(),
  'half closed': peer => peer.socket.end(),
  'closing handshake': peer => peer.write(frame(Opcode.close, Buffer.from([3, 232]))),
  silence() {},
}

/** Milliseconds, more or less. */
export function pause(time) {
  return new Promise(resolve => setTimeout(resolve, time))
}

/** A moment until which something may be done. */
function soon(random) {
  return performance.now() + 100 + random.below(1000)
}

function sizeOf(random) {
  return random.oneIn(40) ? random.pick(LARGE) - random.below(2) : random.pick(SIZES)
}

/** Plain ASCII or not: what is not takes twice the memory. */
function text(size, random) {
  const bytes = Buffer.alloc(size, 't')
  if (size >= EURO.length && random.oneIn(2)) EURO.copy(bytes, size - EURO.length)
  return frame(Opcode.text, bytes)
}

function linesOf(random) {
  const [count, size] = random.pick([[0, 0], [10, 30], [100, 80], [900, 5]])
  return Array.from({ length: count }, (_, i) => `X${i}: ${'h'.repeat(size)}`)
}
