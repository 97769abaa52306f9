/** `timeout` of `connect`: never early, wherever between two turns of the wheel an attempt begins, and at most 100 ms late. */
import type { Socket } from 'node:net'
import t from 'tap'
import { connect } from '../lib/client.ts'
import { Deadline, RESOLUTION } from '../lib/transport/deadlines.ts'
import { failureOf } from './helpers/client.ts'
import { Journal, turn, within } from './helpers/journal.ts'
import { accepting, RawServer, type Reply } from './helpers/raw-server.ts'

/** Time as the wheel sees it. Sockets and the patience of tests go by the real one. */
let now = 0
let startedAt = 0
let tick: (() => void) | undefined

const STEP = 10
const TIMEOUT = 100
const ATTEMPTS = 10

/** Runs the body with the wheel's clock standing still but for `advance`, in the middle of other deadlines. */
async function clocked(body: () => Promise<void>): Promise<void> {
  const { setInterval, clearInterval } = globalThis
  const { now: realNow } = performance
  performance.now = () => now
  const fake = (callback: () => void): { unref(): void } => {
    tick = callback
    startedAt = now
    return { unref() {} }
  }
  Object.assign(globalThis, { setInterval: fake, clearInterval: () => void (tick = undefined) })
  const other = new Deadline({ onDeadline() {} })
  try {
    other.set(60_000)
    await body()
    other.clear()
    advance(2 * RESOLUTION)
  } finally {
    performance.now = realNow
    Object.assign(globalThis, { setInterval, clearInterval })
  }
}

function advance(milliseconds: number): void {
  for (const end = now + milliseconds; now < end; ) {
    now += STEP
    if ((now - startedAt) % RESOLUTION === 0) tick?.()
  }
}

/** Requests in the order of their paths, each with what answers it. */
class Asked {
  readonly journal = new Journal()
  readonly #asked = new Map<string, () => void>()

  readonly reply: Reply = (head: string, socket: Socket) => {
    const path = head.split(' ')[1]
    this.#asked.set(path, () => void socket.write(accepting(head)))
    this.journal.add(`${path} `)
  }

  answer(path: string): void {
    this.#asked.get(path)?.()
  }
}

t.test('an answer after 60 ms is in time for 100, for ten attempts at once, each at another moment of the wheel', async t => {
  const asked = new Asked()
  const raw = await RawServer.open(t, asked.reply)
  await clocked(async () => {
    t.not(tick, undefined, 'the clock is in our hands')
    const attempts: Promise<string>[] = []
    const answerAfter = 60 / STEP
    for (let step = 0; step < ATTEMPTS + answerAfter; step++) {
      if (step < ATTEMPTS) {
        const attempt = connect(`${raw.url}/${step}`, { timeout: TIMEOUT, heartbeat: false })
        attempts.push(attempt.then(socket => (socket.terminate(), 'open'), (error: Error) => error.message))
        await asked.journal.until(`/${step} `)
      }
      if (step >= answerAfter) {
        asked.answer(`/${step - answerAfter}`)
        t.equal(await within(attempts[step - answerAfter], 'the outcome'), 'open', `begun ${STEP * (step - answerAfter)} ms behind a turn`)
      }
      advance(STEP)
    }
    t.equal(attempts.length, ATTEMPTS)
  })
})

t.test('without an answer it fails at 100 ms or later, and at most 100 ms later than that', async t => {
  const asked = new Asked()
  const raw = await RawServer.open(t, asked.reply)
  await clocked(async () => {
    const failed: { code: unknown; after: number }[] = []
    for (let step = 0; step < ATTEMPTS + (TIMEOUT + RESOLUTION) / STEP; step++) {
      if (step < ATTEMPTS) {
        const begun = now
        const note = ({ code }: { code?: unknown }): unknown => failed.push({ code, after: now - begun })
        connect(`${raw.url}/${step}`, { timeout: TIMEOUT, heartbeat: false }).then(() => t.fail('nobody answers'), note)
        await asked.journal.until(`/${step} `)
      }
      advance(STEP)
      await turn()
    }
    t.equal(failed.length, ATTEMPTS)
    for (const { code, after } of failed) {
      t.equal(code, 'handshake-timeout')
      t.ok(after >= TIMEOUT && after <= TIMEOUT + RESOLUTION, `${after} ms`)
    }
  })
})

t.test('by the real clock none of ten fails before its time either', async t => {
  const raw = await RawServer.open(t, () => {})
  const failures: Promise<void>[] = []
  await new Promise<void>(resolve => {
    // Another prime than the wheel's resolution is made of: each begins at another moment.
    const timer = setInterval(() => {
      const begun = performance.now()
      const attempt = failureOf(connect(raw.url, { timeout: TIMEOUT })).then(({ code }) => {
        const after = performance.now() - begun
        t.equal(code, 'handshake-timeout')
        t.ok(after >= TIMEOUT, `${after} ms`)
      })
      if (failures.push(attempt) < ATTEMPTS) return
      clearInterval(timer)
      resolve()
    }, 17)
  })
  await Promise.all(failures)
  await raw.left(ATTEMPTS)
})
