/** The table of policies for slow receivers, tried cell by cell; and how each is counted, as docs/guide/operate.md says it. */
import t, { type Test } from 'tap'
import { encodeShared } from '../../lib/broadcast/shared-frame.ts'
import { Diagnostics } from '../../lib/diagnostics.ts'
import { Opcode } from '../../lib/protocol/opcode.ts'
import { resolveSlowReceivers, type BroadcastPolicy, type SendPolicy, type SlowReceiverOptions } from '../../lib/transport/slow-receiver.ts'
import { connected, type Connected } from '../helpers/connected.ts'
import { bytes, frame } from '../helpers/frames.ts'
import { eventually, turn } from '../helpers/journal.ts'
import { codesIn, pageOf, tableOf } from './page.ts'

const KIB = 1024
/** One message is with the transport; three of the small ones may wait behind it. */
const UNDERWAY = 20 * KIB
const SMALL = 10 * KIB - 4
const LIMITS = { queuedBytes: UNDERWAY + 4 + 3 * (SMALL + 4) }

type Kind = keyof SlowReceiverOptions

interface Slow extends Connected {
  readonly diagnostics: Diagnostics
  /** Sends a message that begins with a digit; whether it was accepted, as its caller is told. */
  add(digit: number, size?: number): boolean
  /** The first bytes of all messages that went out, when the peer takes everything. */
  arrived(): Promise<number[]>
}

/** A connection whose peer takes nothing, with message 0 under way. */
async function slow(t: Test, kind: Kind, policy: SendPolicy): Promise<Slow> {
  const diagnostics = new Diagnostics()
  const peer = connected(t, {}, { diagnostics, limits: LIMITS, slowReceivers: { [kind]: policy } })
  const { connection, transport } = peer
  await turn()
  transport.stall()
  connection.send(Buffer.alloc(UNDERWAY, 0))
  await turn()
  return {
    ...peer,
    diagnostics,
    add(digit, size = SMALL) {
      const data = Buffer.alloc(size, digit)
      return kind === 'send' ? connection.send(data) : connection.sendShared(encodeShared(Opcode.binary, data), undefined)
    },
    async arrived() {
      transport.goOn()
      await eventually('an empty queue', () => connection.bufferedAmount === 0 || connection.readyState === 'closed')
      return digitsIn(bytes(transport.written()))
    },
  }
}

/** The first byte of each message of more than 125 bytes. */
function digitsIn(all: Buffer): number[] {
  const digits: number[] = []
  for (let rest = all; rest.length > 0; ) {
    digits.push(rest[4])
    rest = rest.subarray(4 + rest.readUInt16BE(2))
  }
  return digits
}

/** The cells of a policy, made of what is seen: of the message at hand, of what waits, of the connection. */
type Cells = [atHand: string, waiting: string, connection: string]

const POLICIES: Readonly<Record<SendPolicy, (t: Test, kind: Kind) => Promise<Cells>>> = {
  async close(t, kind) {
    const { add, arrived, connection, journal } = await slow(t, kind, 'close')
    for (let digit = 1; digit <= 3; digit++) add(digit)
    add(4)
    const state = connection.readyState
    await journal.until('close')
    const digits = await arrived()
    const end = journal.lines.includes('close 1006 slow-consumer') && state === 'closed'
    return [
      digits.includes(4) ? 'sent' : 'lost with the rest',
      digits.includes(1) ? 'sent' : 'lost',
      end ? 'dropped: `close` gets 1006 and `slow-consumer`' : state,
    ]
  },
  async 'drop-newest'(t, kind) {
    const { add, arrived, connection } = await slow(t, kind, 'drop-newest')
    for (let digit = 1; digit <= 3; digit++) add(digit)
    const taken = add(4)
    const digits = await arrived()
    return [
      !taken && !digits.includes(4) ? 'not sent: `send` returns false, `publish` does not count it' : 'sent',
      digits.join() === '0,1,2,3' ? 'stays' : digits.join(),
      connection.readyState === 'open' ? 'stays' : 'ends',
    ]
  },
  async 'drop-oldest'(t, kind) {
    const { add, arrived, connection } = await slow(t, kind, 'drop-oldest')
    for (let digit = 1; digit <= 3; digit++) add(digit)
    const made = add(4)
    const useless = add(5, 3 * SMALL + 13)
    const digits = await arrived()
    const isSent = made && digits.includes(4)
    const isSkipped = !useless && !digits.includes(5)
    return [
      isSent && isSkipped ? 'sent, if skipping makes room; else skipped itself' : digits.join(),
      digits.join() === '0,2,3,4' ? 'skipped, oldest message first' : digits.join(),
      connection.readyState === 'open' ? 'stays' : 'ends',
    ]
  },
  async wait(t, kind) {
    const { add, arrived, connection, feed, journal } = await slow(t, kind, 'wait')
    for (let digit = 1; digit <= 3; digit++) add(digit)
    const taken = add(4)
    feed(frame('81', 'later'))
    await turn()
    const held = !journal.lines.includes('text later')
    const digits = await arrived()
    await journal.until('text later')
    const other = await slow(t, kind, 'wait')
    for (let digit = 1; other.connection.readyState === 'open' && digit < 100; digit++) other.add(digit)
    await other.journal.until('close')
    const dropped = other.journal.lines.includes('close 1006 slow-consumer')
    return [
      !taken && digits.includes(4) ? 'sent; `send` returns false' : digits.join(),
      digits.join() === '0,1,2,3,4' ? 'stays' : digits.join(),
      held && dropped && connection.readyState === 'open'
        ? 'nothing is read of this peer until the queue is within the limit again; over twice the limit it is dropped as with `close`'
        : 'is read',
    ]
  },
}

const { rows } = tableOf(pageOf('reference/limits.md'), 'policy', 'for')
const KINDS: Readonly<Record<string, readonly Kind[]>> = { both: ['send', 'broadcast'], '`send`': ['send'] }

t.test('the table has each policy, for what it is for, and says which is the default', async t => {
  t.strictSame(rows.map(([name = '']) => codesIn(name).join()), Object.keys(POLICIES))
  for (const [name = '', of = ''] of rows) {
    const [policy = ''] = codesIn(name)
    for (const kind of ['send', 'broadcast'] as const) {
      const check = (): unknown => resolveSlowReceivers({ [kind]: policy as BroadcastPolicy })
      if (KINDS[of]?.includes(kind)) t.doesNotThrow(check, `${policy} for ${kind}`)
      else t.throws(check, { code: 'invalid-option' }, `${policy} for ${kind}`)
    }
    t.equal(/\(default\)/.test(name), resolveSlowReceivers({ send: policy as SendPolicy }) === undefined, policy)
  }
})

for (const [name = '', of = '', ...cells] of rows) {
  const [policy = ''] = codesIn(name)
  for (const kind of KINDS[of] ?? []) {
    t.test(`${policy}, for ${kind}`, async t => {
      t.strictSame(await POLICIES[policy as SendPolicy](t, kind), cells.slice(0, 3))
    })
  }
}

/** What the figures say when four messages had room for three. */
async function counted(t: Test, policy: SendPolicy, size?: number): Promise<{ sent: number; dropped: object; reached: object }> {
  const { add, diagnostics } = await slow(t, 'send', policy)
  for (let digit = 1; digit <= 3; digit++) add(digit)
  add(4, size)
  await turn()
  const { messagesSent: sent, messagesDropped, limitsReached } = diagnostics
  return { sent, dropped: Object.fromEntries(messagesDropped), reached: Object.fromEntries(limitsReached) }
}

t.test('operate.md: what is skipped had been accepted or not, and which end counts as a limit', async t => {
  const figures = tableOf(pageOf('guide/operate.md'), 'figure', 'what it is').rows
  const cellOf = (figure: string): string => figures.find(([name = '']) => codesIn(name).join() === figure)?.[1] ?? ''
  t.match(cellOf('messages.dropped'), 'Under `drop-oldest` they had been accepted before, and are in `messages.sent`')
  t.strictSame(await counted(t, 'drop-oldest'), { sent: 5, dropped: { 'drop-oldest': 1 }, reached: {} })
  t.match(cellOf('messages.dropped'), 'the newest, where no room can be made for it, never was')
  t.strictSame(await counted(t, 'drop-oldest', 3 * SMALL + 13), { sent: 4, dropped: { 'drop-oldest': 1 }, reached: {} })
  t.match(cellOf('messages.dropped'), 'Under `drop-newest` none of them was')
  t.strictSame(await counted(t, 'drop-newest'), { sent: 4, dropped: { 'drop-newest': 1 }, reached: {} })
  t.match(cellOf('limitsReached'), '`queuedBytes` counts connections that were dropped for their queue')
  t.match(await counted(t, 'close'), { dropped: {}, reached: { queuedBytes: 1 } })
  t.match(cellOf('limitsReached'), 'and under `wait` each time that reading stopped')
  t.strictSame(await counted(t, 'wait'), { sent: 5, dropped: {}, reached: { queuedBytes: 1 } })
})
