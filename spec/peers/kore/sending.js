// @ts-check
/** Conversations about what the server sends, and about its end of the closing handshake. */
import { close, frame, PONG, TEXT } from './frames.js'
import { hex } from './handshakes.js'

/** @typedef {import('./handshakes.js').Conversation} Conversation */

const MIB = 1024 * 1024
/** More than the sockets of one connection hold, less than what our queue does. */
const MUCH = 12 * MIB

/** What onmessage does, and the connection may go on. @type {Record<string, string>} */
const SENDS = {
  'an empty text': 'send.1',
  'a text': `send.1.${hex('hello')}`,
  'a binary message': 'send.2.00ff80',
  '125 bytes': 'fill.2.125',
  '126 bytes': 'fill.2.126',
  '65535 bytes': 'fill.2.65535',
  '65536 bytes': 'fill.2.65536',
  'a megabyte': `fill.2.${MIB}`,
  'three messages': `send.1.${hex('1')},send.2.${hex('2')},send.1.${hex('3')}`,
  'a ping': `send.9.${hex('are you there')}`,
  'an empty ping': 'send.9',
  'a pong': `send.a.${hex('I am here')}`,
  'a ping of 125 bytes': 'fill.9.125',
  'a ping of 126 bytes': 'fill.9.126',
  'a continuation': `send.0.${hex('ment')}`,
  'op 3': `send.3.${hex('hello')}`,
  'op 41': `send.41.${hex('hello')}`,
  'text that is no UTF-8': 'send.1.fffe',
  'ws_message set to NULL': 'deaf',
}

/** Close frames that may not be sent. @type {Record<string, string>} */
const CLOSES = {
  'a close frame of one byte': 'send.8.03',
  'a close frame with code 1005': 'send.8.03ed',
  'a close frame whose reason is no UTF-8': 'send.8.03e8fffe',
}

/** @type {Conversation[]} */
export const SENDING = [
  ...Object.entries(SENDS).map(([name, steps]) => ({
    name: `send: ${name}`,
    async talk(/** @type {import('./talk.js').Talk} */ talk) {
      const a = await talk.open('a')
      await a.ask(steps).alive()
      if (!a.over) await a.send(frame(TEXT, 'and now?')).alive()
    },
  })),
  ...Object.entries(CLOSES).map(([name, steps]) => ({
    name: `send: ${name}`,
    async talk(/** @type {import('./talk.js').Talk} */ talk) {
      const a = await talk.open('a')
      await a.ask(steps).settle()
    },
  })),
  {
    name: 'send: a ping, and the pong for it',
    async talk(talk) {
      const a = await talk.open('a')
      await a.ask(`send.9.${hex('ping')}`).frame()
      await a.send(frame(PONG, 'ping')).alive()
    },
  },
  {
    name: 'send: a close frame by hand, then a message of the client',
    async talk(talk) {
      const a = await talk.open('a')
      await a.ask(`send.8.03e8${hex('done')}`).frame()
      a.send(frame(TEXT, 'still talking'))
      await a.settle()
    },
  },
  {
    name: "send: a close frame by hand, then the client's answer",
    async talk(talk) {
      const a = await talk.open('a', { query: { disconnect: 'state' } })
      await a.ask('send.8.03e8').frame()
      await a.send(close(1000)).ended()
    },
  },
  {
    name: 'send: a message behind a close frame by hand',
    async talk(talk) {
      const a = await talk.open('a')
      await a.ask(`send.8.03e8,send.1.${hex('one more thing')}`).frame()
      await a.settle()
    },
  },
  {
    name: 'send: a close frame by hand, CONN_WS_CLOSE_SENT, disconnect',
    async talk(talk) {
      const a = await talk.open('a', { query: { disconnect: 'state' } })
      await a.ask('send.8.0fa0,flag,end').ended()
    },
  },
  {
    name: 'send: a close frame by hand, disconnect',
    async talk(talk) {
      const a = await talk.open('a')
      await a.ask('send.8.0fa0,end').ended()
    },
  },
  {
    name: 'disconnect: in onmessage, with a send in ondisconnect',
    async talk(talk) {
      const a = await talk.open('a', { query: { disconnect: `state,send.1.${hex('bye')}` } })
      await a.ask('end').ended()
    },
  },
  {
    name: 'disconnect: a client that does not answer the close frame',
    async talk(talk) {
      const a = await talk.open('a')
      await a.ask('end').settle()
    },
  },
  {
    name: 'disconnect: twice',
    async talk(talk) {
      const a = await talk.open('a')
      await a.ask('end,end').ended()
    },
  },
  {
    name: 'disconnect: again in ondisconnect',
    async talk(talk) {
      const a = await talk.open('a', { query: { disconnect: 'end' } })
      await a.ask('end').ended()
    },
  },
  {
    name: 'disconnect: messages behind it in the same segment',
    async talk(talk) {
      const a = await talk.open('a')
      await a.send(frame(TEXT, '!end'), frame(TEXT, 'late'), frame(TEXT, 'later')).ended()
    },
  },
  {
    name: 'disconnect: a send before it',
    async talk(talk) {
      const a = await talk.open('a')
      await a.ask(`send.1.${hex('last words')},end`).ended()
    },
  },
  {
    name: 'disconnect: a send after it',
    async talk(talk) {
      const a = await talk.open('a')
      await a.ask(`end,send.1.${hex('too late')}`).ended()
    },
  },
  {
    name: 'disconnect: behind 12 MiB that the client does not read yet',
    async talk(talk) {
      const a = await talk.open('a')
      a.stopReading(true)
      a.ask(`fill.2.${MUCH},end`)
      await talk.event(a, /^disconnect/)
      a.stopReading(false)
      await a.noteSize(MUCH)
    },
  },
]
