// @ts-check
/** Conversations about broadcasts: a and b are clients of one worker, c and d of the other; a asks for them. */
import { hex } from './handshakes.js'

/** @typedef {import('./handshakes.js').Conversation} Conversation */

const LARGER_THAN_MAXFRAME = 100_000

/** Steps: `cast.SELF.OP.SCOPE.DATA`; scope 1 is LOCAL, 2 is GLOBAL. @type {Record<string, string>} */
const CASTS = {
  'LOCAL, src the connection': `cast.1.1.1.${hex('hello')}`,
  'LOCAL, src NULL': `cast.0.1.1.${hex('hello')}`,
  'GLOBAL, src the connection': `cast.1.1.2.${hex('hello')}`,
  'GLOBAL, src NULL': `cast.0.1.2.${hex('hello')}`,
  'scope 0, src the connection': `cast.1.1.0.${hex('hello')}`,
  'scope 4, src NULL': `cast.0.1.4.${hex('hello')}`,
  'scope 7, src NULL': `cast.0.1.7.${hex('hello')}`,
  'BINARY, LOCAL': 'cast.1.2.1.00ff80',
  'BINARY, GLOBAL': 'cast.1.2.2.00ff80',
  'PING, LOCAL': `cast.1.9.1.${hex('ping')}`,
  'PONG, LOCAL': `cast.1.a.1.${hex('pong')}`,
  'op 3, LOCAL': `cast.1.3.1.${hex('hello')}`,
  'CONT, LOCAL': `cast.1.0.1.${hex('hello')}`,
  'CLOSE, LOCAL': 'cast.1.8.1.03e8',
  'an empty text, GLOBAL': 'cast.1.1.2.',
  'text that is no UTF-8, LOCAL': 'cast.1.1.1.fffe',
  'larger than websocket_maxframe, LOCAL': `flood.1.2.1.${LARGER_THAN_MAXFRAME}`,
  'larger than websocket_maxframe, GLOBAL': `flood.1.2.2.${LARGER_THAN_MAXFRAME}`,
  'five in a row, LOCAL': row('1'),
  'five in a row, GLOBAL': row('2'),
  'a send, a broadcast with NULL, a send': `send.1.${hex('1')},cast.0.1.1.${hex('2')},send.1.${hex('3')}`,
}

/** @type {Conversation[]} */
export const BROADCASTS = [
  ...Object.entries(CASTS).map(([name, steps]) => ({
    name: `broadcast: ${name}`,
    async talk(/** @type {import('./talk.js').Talk} */ talk) {
      const { a, c } = await talk.openOnBoth()
      a.ask(steps)
      await talk.delivered(a, c)
    },
  })),
  {
    name: 'broadcast: to another route',
    async talk(talk) {
      const a = await talk.open('a')
      const b = await talk.openBeside('b', a, { path: '/other' })
      await a.ask(`cast.1.1.1.${hex('hello')}`).alive()
      await b.alive()
    },
  },
]

/** For one worker. @type {Conversation[]} */
export const ALONE = Object.entries({ 'src the connection': '1', 'src NULL': '0' }).map(([name, self]) => ({
  name: `one worker: GLOBAL, ${name}`,
  async talk(/** @type {import('./talk.js').Talk} */ talk) {
    const a = await talk.open('a')
    const b = await talk.open('b')
    a.ask(`cast.${self}.1.2.${hex('hello')}`)
    // In Kore a second copy comes by way of the parent.
    await Promise.all([a.settle(), b.settle()])
  },
}))

/** @param {string} scope */
function row(scope) {
  return [0, 1, 2, 3, 4].map(number => `cast.1.1.${scope}.${hex(String(number))}`).join()
}
