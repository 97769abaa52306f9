/** What a peer and the callbacks see where a limit is reached: the cells of the tables of limits, tried one by one. */
import t, { type Test } from 'tap'
import type { LimitOptions } from '../../lib/limits.ts'
import type { ServerOptions } from '../../lib/server-options.ts'
import type { WebSocketServer } from '../../lib/server.ts'
import { frame } from '../helpers/frames.ts'
import { eventually, turn } from '../helpers/journal.ts'
import { running, type Running } from '../helpers/running.ts'
import type { Answer, WireClient } from '../helpers/wire-client.ts'
import { codesIn, pageOf, tableOf } from './page.ts'

/** What was seen. `peer`: a close frame, `status 431`, `cut`, or `read later`; `callbacks`: words in order. */
interface Seen {
  readonly peer: string
  readonly callbacks: readonly string[]
  /** Limits that were counted. */
  readonly reached: readonly string[]
}

const [TEXT, BINARY, PART, PING] = ['81', '82', '02', '89']
const NEVER = new Promise<undefined>(() => {})
const LARGE = Buffer.alloc(400_000)

/** `error: [message-too-big]` and `close 1009 why` as words. */
function wordsOf(lines: readonly string[]): string[] {
  return lines.flatMap(line => {
    const [, violation] = /^error: \[(.*)\]$/.exec(line) ?? []
    const [, code, reason] = /^close (\d+) ?(.*)$/.exec(line) ?? []
    if (violation !== undefined) return ['error', violation]
    return code === undefined ? [] : ['close', code, reason]
  })
}

function reachedOn(server: WebSocketServer): string[] {
  return Object.keys(server.metrics().limitsReached)
}

/** A connection to a server with one limit, on which something is done; what the client was closed with, and the callbacks. */
async function closed(t: Test, limits: LimitOptions, act: (client: WireClient) => void, options: ServerOptions<unknown> = {}): Promise<Seen> {
  const { server, client, journal } = await running(t, { limits, ...options })
  const peer = await client()
  act(peer)
  const lines = await peer.journal.until('close ')
  peer.send(frame('88', peer.frames.at(-1)?.payload))
  const heard = await journal.until('close ')
  return { peer: lines.at(-1) ?? '', callbacks: wordsOf(heard), reached: reachedOn(server) }
}

/** A connection that the server drops. */
async function dropped(t: Test, options: ServerOptions<unknown>, act: (client: WireClient) => void): Promise<Seen> {
  const { server, client, journal } = await running(t, options)
  const peer = await client()
  act(peer)
  const heard = await journal.until('close ')
  peer.socket.resume()
  await eventually('the end', () => peer.journal.lines.some(line => /^(end|error)/.test(line)))
  return { peer: 'cut', callbacks: wordsOf(heard), reached: reachedOn(server) }
}

/** A handshake that is refused, by a server that must have called nothing. */
async function refused(t: Test, options: ServerOptions<unknown>, prepare?: (server: Running) => Promise<unknown>, text?: string): Promise<Seen> {
  const server = await running(t, options)
  const { dial, journal } = server
  await prepare?.(server)
  const before = journal.lines.length
  const asking = await dial()
  const answer: Promise<Answer> = text === undefined ? asking.handshake() : asking.answer()
  if (text !== undefined) asking.socket.write(text)
  const { status, headers } = await answer
  const later = headers['retry-after']
  const peer = `status ${status}${later === undefined ? '' : ` ${later}`}`
  return { peer, callbacks: wordsOf(journal.lines.slice(before)), reached: reachedOn(server.server) }
}

/** Sends to a client that takes nothing, until it is dropped. */
async function flood(socket: { readonly readyState: string; send(data: Buffer): boolean }): Promise<void> {
  while (socket.readyState === 'open') {
    socket.send(LARGE)
    await turn()
  }
}

const PER_CONNECTION: Readonly<Record<string, (t: Test) => Promise<Seen>>> = {
  messageBytes: t => closed(t, { messageBytes: 10 }, client => client.send(frame(TEXT, 'x'.repeat(11)))),
  retainedBytes: t => closed(t, { retainedBytes: 10 }, client => client.send(frame(PART, 'x'.repeat(11)))),
  queuedBytes: t =>
    dropped(t, { limits: { queuedBytes: 100_000 }, open: socket => void flood(socket) }, client => void client.socket.pause()),
  async pendingMessages(t) {
    const settle: (() => void)[] = []
    const message = (): Promise<void> => new Promise(resolve => void settle.push(resolve))
    const { server, client, journal } = await running(t, { limits: { pendingMessages: 1 }, message })
    const peer = await client()
    peer.send(frame(TEXT, 'a'), frame(TEXT, 'b'))
    await journal.until('text a')
    await turn()
    const early = journal.lines.includes('text b')
    settle.shift()?.()
    await journal.until('text b')
    return { peer: early ? 'read at once' : 'read later', callbacks: wordsOf(journal.lines), reached: reachedOn(server) }
  },
  controlFrames: t => closed(t, { controlFrames: 0 }, client => client.send(frame(PING))),
  topics: t => closed(t, { topics: 0 }, () => {}, { open: socket => socket.subscribe('room') }),
  handshakeBytes: t => refused(t, { limits: { handshakeBytes: 50 } }),
  handshakeTime: t => refused(t, { limits: { handshakeTime: 0 } }, undefined, 'GET / HTTP/1.1\r\n'),
  closingTime: t => dropped(t, { limits: { closingTime: 0 }, open: socket => socket.close() }, () => {}),
  idleTime: t => closed(t, { idleTime: 0 }, () => {}),
  lifetime: t => closed(t, { lifetime: 0 }, () => {}),
}

const PER_SERVER: Readonly<Record<string, (t: Test) => Promise<readonly Seen[]>>> = {
  connections: async t => [await refused(t, { limits: { connections: 1 } }, ({ client }) => client())],
  connectionsPerAddress: async t => [await refused(t, { limits: { connectionsPerAddress: 1 } }, ({ client }) => client())],
  handshakes: async t => {
    let asked = 0
    const accept = (): Promise<undefined> => {
      asked++
      return NEVER
    }
    const seen = await refused(t, { limits: { handshakes: 1 }, accept }, async ({ dial }) => {
      const waiting = await dial()
      waiting.ask()
      await eventually('accept to be asked', () => asked === 1)
    })
    t.equal(asked, 1, 'accept is not asked for one too many')
    return [seen]
  },
  memory: async t => [
    await closed(t, { memory: 100_000 }, client => client.send(frame(PART, LARGE), frame(PART, ''))),
    await dropped(t, { limits: { memory: 1_000_000 }, open: socket => void flood(socket) }, client => void client.socket.pause()),
    await refused(t, { limits: { memory: 1_000_000 }, message: () => NEVER }, async ({ client, journal }) => {
      const peer = await client()
      for (let kept = 1; kept <= 4; kept++) {
        peer.send(frame(BINARY, Buffer.alloc(200_000)))
        await journal.reach(1 + kept)
      }
    }),
  ],
}

/** The words of a cell that were seen: names, close codes. */
function expectedWords(cell: string): string[] {
  if (cell.startsWith('nothing')) return []
  return [...cell.matchAll(/`([^`]+)`|(?<!\d)(1\d{3})(?!\d)/g)].map(([, code, number = '']) => code ?? number)
}

/** Whether the cell says what the peer saw. */
function expectedPeer(cell: string): string {
  const [, code, reason = ''] = /^close (1\d{3})(?:, `([^`]+)`)?/.exec(cell) ?? []
  const [, status, after = ''] = /(?:^HTTP status |^)(\d{3})(?: with `Retry-After: (\d+)`)?/.exec(cell) ?? []
  if (code !== undefined) return `close ${code} ${reason}`.trimEnd()
  if (status !== undefined) return `status ${status} ${after}`.trimEnd()
  return cell.startsWith('the connection is cut') ? 'cut' : 'read later'
}

const PAGE = pageOf('reference/limits.md')
const OF_CONNECTION = tableOf(PAGE, 'limit', 'default', 'unit').rows
const OF_SERVER = tableOf(PAGE, 'limit', 'unit', 'default').rows
/** What the guide to the server says is beyond a limit, by the limit's name. */
const BEYOND = new Map(
  tableOf(pageOf('guide/server.md'), 'limit', 'default', 'beyond it').rows.map(([name = '', , beyond = '']) => [codesIn(name).join(), beyond])
)

/** The guide has the code or status that was seen, and no number where there is none. */
function guideSays(t: Test, name: string, seen: readonly Seen[]): void {
  const beyond = BEYOND.get(name) ?? ''
  const numbers = beyond.match(/(?<!\d)(?:1\d{3}|[45]\d\d)(?!\d)/g) ?? []
  const observed = seen.flatMap(({ peer, callbacks }) => (peer === 'cut' ? callbacks[1] : /\d{3,4}/.exec(peer)?.[0]) ?? [])
  t.strictSame(numbers, observed, `the guide: ${beyond}`)
}

t.test('the tables have a row for each experiment, and each row has one', async t => {
  t.strictSame(OF_CONNECTION.map(([name = '']) => codesIn(name).join()), Object.keys(PER_CONNECTION))
  t.strictSame(OF_SERVER.map(([name = '']) => codesIn(name).join()), Object.keys(PER_SERVER))
})

for (const [name = '', , , peerCell = '', callbacksCell = ''] of OF_CONNECTION) {
  const [limit = ''] = codesIn(name)
  t.test(`${limit}: what the peer sees, and the callbacks`, async t => {
    const seen = await PER_CONNECTION[limit](t)
    const peer = expectedPeer(peerCell)
    t.ok(seen.peer === peer || seen.peer.startsWith(`${peer} `), `${seen.peer}, and not: ${peerCell}`)
    const words = expectedWords(callbacksCell)
    t.strictSame(seen.callbacks.slice(0, Math.max(1, words.length)), words, callbacksCell)
    t.strictSame(seen.reached, [limit], 'it is counted')
    guideSays(t, limit, [seen])
  })
}

for (const [name = '', , , peerCell = '', callbacksCell = ''] of OF_SERVER) {
  const [limit = ''] = codesIn(name)
  t.test(`${limit}: what the peer sees, and your code`, async t => {
    const seen = await PER_SERVER[limit](t)
    for (const { reached } of seen) t.strictSame(reached, [limit], 'it is counted')
    guideSays(t, limit, seen)
    if (limit === 'memory') {
      t.strictSame(seen.map(({ peer }) => peer), ['close 1013 memory', 'cut', 'status 503 10'])
      t.match(peerCell, /1013 `memory` if nothing is queued for it, else the end of the connection\. 503 in a handshake/)
      t.strictSame(seen.map(({ callbacks }) => callbacks), [['close', '1013', 'memory'], ['close', '1006', 'memory'], []])
      t.strictSame(expectedWords(callbacksCell), ['close', '1013', '1006', 'memory'])
      return
    }
    t.match(seen, [{ peer: expectedPeer(peerCell), callbacks: expectedWords(callbacksCell) }])
    t.equal(seen.length, 1)
  })
}
