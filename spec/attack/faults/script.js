/** What one side of a connection does: calls of every kind, at random moments. */
import { Planned } from './watch.js'

const SIZES = [0, 1, 10, 100, 1000, 1500, 20_000, 70_000, 200_000]
const CODES = [undefined, 1000, 1001, 3000, 4999]

/** Turns of the event loop; now and then none. */
export async function turns(random, most) {
  for (let left = random.below(most + 1); left > 0; left--) await new Promise(resolve => setImmediate(resolve))
}

/** Numbered, so that whoever gets it sees whether one is missing or comes twice. */
function numbered(random, side, watch) {
  watch.sent = (watch.sent ?? 0) + 1
  const text = `${side}|${watch.sent}|${random.pick(['x', 'é']).repeat(random.pick(SIZES))}`
  return random.oneIn(2) ? text : Buffer.from(text)
}

async function* pieces(random, side, watch) {
  watch.sent = (watch.sent ?? 0) + 1
  yield `${side}|${watch.sent}|`
  for (let left = random.below(5); left > 0; left--) {
    await turns(random, 2)
    if (random.oneIn(10)) throw new Planned('in the middle of a message')
    yield 'y'.repeat(random.pick(SIZES))
  }
}

async function readWhole(socket, random, watch) {
  for await (const message of socket) {
    watch.checkOrder(message)
    await turns(random, 2)
    if (random.oneIn(6)) break
  }
}

async function readPieces(socket, random) {
  for await (const message of socket.messages({ stream: true })) {
    for await (const piece of message) {
      if (piece.length === 0 || random.oneIn(8)) break
      await turns(random, 2)
    }
    if (random.oneIn(6)) break
  }
}

/**
 * [how often, what is done]. A stream's number is drawn when its turn comes, which may be later than that of a message
 * behind it: streams are numbered on their own.
 */
const ACTIONS = [
  [
    10,
    ({ socket, random, side, watch }) =>
      socket.send(numbered(random, side, watch), { compress: random.pick([undefined, true, false]) }),
  ],
  [
    2,
    ({ socket, random, side, watch }) =>
      watch.track('sendStream', socket.sendStream(pieces(random, 'stream', (watch.streams ??= {})), {})),
  ],
  [3, ({ socket, watch }) => watch.track('drained', socket.drained())],
  [3, ({ socket }) => socket.pause()],
  [4, ({ socket }) => socket.resume()],
  [2, ({ socket }) => socket.ping('p')],
  [1, ({ socket }) => socket.pong('q')],
  [1, ({ socket, random }) => (socket.idleTime = random.pick([Infinity, 60_000]))],
  [2, ({ socket, side }) => void (side === 'server' && socket.subscribe('room'))],
  [1, ({ socket, side }) => void (side === 'server' && socket.unsubscribe('room'))],
  [3, ({ socket, publish }) => publish(socket)],
  [2, ({ socket, random, watch }) => watch.track('for await', readWhole(socket, random, watch))],
  [2, ({ socket, random, watch }) => watch.track('for await of pieces', readPieces(socket, random))],
  [2, ({ socket, random }) => socket.close(random.pick(CODES), '')],
  [1, ({ socket, watch }) => watch.terminate(socket)],
]
const WEIGHTED = ACTIONS.flatMap(([weight, action]) => new Array(weight).fill(action))

/**
 * @param {{ socket: any, random: any, side: string, watch: import('./watch.js').Watch,
 *   publish: (socket: any) => void }} player
 */
export async function play(player) {
  const { random, watch } = player
  for (let left = 2 + random.below(14); left > 0; left--) {
    await turns(random, 3)
    try {
      random.pick(WEIGHTED)(player)
    } catch (error) {
      watch.complain(`a call threw ${error?.stack}`)
    }
  }
}
