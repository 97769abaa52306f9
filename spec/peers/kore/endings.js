// @ts-check
/** Conversations about how connections end: hanging up, faults, workers that die, time, the server's own end. */
import { setTimeout as sleep } from 'node:timers/promises'
import { close, frame, PONG, TEXT } from './frames.js'
import { hex } from './handshakes.js'
import { stop } from './kernel.js'

/** @typedef {import('./handshakes.js').Conversation} Conversation */
/** @typedef {import('./talk.js').Talk} Talk */

/** What ondisconnect does in most of them. */
const GOODBYE = { disconnect: `state,send.1.${hex('bye')}` }
/** A timer in Kore's worker, which else looks for idle connections only when something happens. */
const TICK = { request: 'tick' }
/** Milliseconds, as `idle_timer.length`. Kore looks every 500. */
const IDLE = 4_000
/** Milliseconds between two signs of life, and how many there are: far from the idle time, one by one and together. */
const STEP = 400
const STEPS = 15

/** @type {Conversation[]} */
export const ENDINGS = [
  {
    name: 'end: the client closes',
    async talk(talk) {
      const a = await talk.open('a', { query: GOODBYE })
      await a.send(close(1000)).ended()
    },
  },
  {
    name: 'end: the client breaks the protocol',
    async talk(talk) {
      const a = await talk.open('a', { query: GOODBYE })
      await a.send(frame(TEXT, 'hello', { key: null })).ended()
    },
  },
  {
    name: 'end: FIN without a close frame',
    async talk(talk) {
      const a = await talk.open('a', { query: GOODBYE })
      await a.finish().ended()
    },
  },
  {
    name: 'end: RST',
    async talk(talk) {
      const a = await talk.open('a', { query: { disconnect: 'state' } })
      a.reset()
      await talk.event(a, /^disconnect/)
    },
  },
  {
    name: 'end: FIN within a frame',
    async talk(talk) {
      const a = await talk.open('a', { query: { disconnect: 'state' } })
      a.send(frame(TEXT, 'hello').subarray(0, 7))
      await a.finish().ended()
    },
  },
  {
    name: 'end: a message and FIN in one go',
    async talk(talk) {
      const a = await talk.open('a')
      const worker = await talk.workerOf(a)
      // A worker that sleeps finds both when it wakes.
      try {
        await stop(worker)
        await a.send(frame(TEXT, 'last words')).finished()
      } finally {
        process.kill(worker, 'SIGCONT')
      }
      await talk.event(a, /^disconnect/)
    },
  },
  {
    name: 'end: broadcasts in ondisconnect, with NULL and with the connection itself',
    async talk(talk) {
      const steps = `cast.0.1.1.${hex('all')},cast.1.1.1.${hex('others')}`
      const a = await talk.open('a', { query: { disconnect: steps } })
      const b = await talk.openBeside('b', a)
      await a.ask('end').ended()
      await b.alive()
    },
  },
]

/** In these Kore's worker dies, and with it all that it serves. @type {Conversation[]} */
export const DEADLY = [
  {
    name: 'end: a callback name that nobody has',
    async talk(talk) {
      const a = await talk.open('a', {})
      const b = await talk.open('b', { query: { request: 'unknown' } })
      await a.settle()
      if (a.over) talk.lose(a)
      await b.settle()
    },
  },
  {
    name: 'end: a fault in onmessage',
    async talk(talk) {
      const a = await talk.open('a', { query: { disconnect: 'state' } })
      const b = await talk.openBeside('b', a)
      await a.ask('fault').ended()
      await b.settle()
      if (b.over) {
        talk.lose(a)
        talk.lose(b)
      }
    },
  },
  {
    name: 'end: a worker that exits is replaced',
    async talk(talk) {
      const a = await talk.open('a', { query: { disconnect: 'state' } })
      const worker = await talk.workerOf(a)
      await a.ask('exit').ended()
      talk.lose(a)
      await talk.untilReplaced(worker)
      const b = await talk.open('b')
      await b.alive()
    },
  },
]

/** @type {Conversation} */
export const STOP = {
  name: 'end: SIGTERM',
  async talk(talk) {
    const a = await talk.open('a', { query: GOODBYE })
    talk.server.terminate()
    await a.ended()
  },
}

/** @type {Conversation[]} */
export const IDLE_TIMES = [
  {
    name: 'idle: a silent client',
    async talk(talk) {
      const a = await talk.open('a', { query: { ...TICK, ...GOODBYE, connect: `idle.${IDLE}` } })
      await a.ended()
    },
  },
  {
    name: 'idle: one byte of a frame now and then',
    async talk(talk) {
      const a = await talk.open('a', { query: { ...TICK, connect: `idle.${IDLE}` } })
      const bytes = frame(TEXT, 'slow but steady')
      for (let i = 0; i < STEPS; i++) {
        await sleep(STEP)
        a.send(bytes.subarray(i, i + 1))
      }
      await a.send(bytes.subarray(STEPS)).alive()
    },
  },
  {
    name: 'idle: pongs now and then',
    async talk(talk) {
      const a = await talk.open('a', { query: { ...TICK, connect: `idle.${IDLE}` } })
      for (let i = 0; i < STEPS; i++) {
        await sleep(STEP)
        a.send(frame(PONG))
      }
      await a.alive()
    },
  },
]

/** Alone with the worker, because broadcasts reach everybody. @type {Conversation} */
export const SERVED = {
  name: 'idle: a client that only listens, though it is served',
  async talk(talk) {
    const a = await talk.open('a', { query: { ...TICK, connect: `idle.${IDLE}` } })
    const b = await talk.open('b')
    for (let i = 0; i < STEPS; i++) {
      await sleep(STEP)
      b.ask('cast.1.1.1.6f6e')
    }
    await b.alive()
    await a.noteWhetherOver()
  },
}

/** Alone with a worker that has nothing else to do. @type {Conversation} */
export const UNWATCHED = {
  name: 'idle: a silent client of an idle worker',
  async talk(talk) {
    const a = await talk.open('a', { query: { connect: 'idle.300' } })
    await a.settle(1_500)
  },
}

/** For websocket_timeout 1: whether that is a second. An end that never comes fails by itself. @type {Conversation} */
export const ONE_SECOND = {
  name: 'websocket_timeout 1: after a second',
  async talk(talk) {
    const started = performance.now()
    const a = await talk.open('a', { query: TICK })
    await a.ended()
    const seconds = (performance.now() - started) / 1_000
    a.note(seconds < 0.9 ? 'too early' : 'not too early')
  },
}

/** For websocket_timeout 0. @type {Conversation} */
export const NO_TIME = {
  name: 'websocket_timeout 0',
  async talk(talk) {
    const a = await talk.open('a', { query: TICK })
    await a.ended()
  },
}
