// @ts-check
/** Conversations about the handshake (RFC 6455, section 4) and about what handlers do with it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { HEADERS } from './client.js'
import { frame, TEXT } from './frames.js'

/** @typedef {import('./talk.js').Talk} Talk */
/** @typedef {import('./talk.js').Request} Request */
/** @typedef {{ name: string, talk: (talk: Talk) => Promise<void> }} Conversation */

/** Header lines that fill the 23 which Kore reads, together with those of every request. */
const FILLERS = Array.from({ length: 20 }, (_, i) => `X-Filler-${i}: x\r\n`).join('')

/** A handler that chooses a subprotocol. */
const CHOICE = { request: `header.sec-websocket-protocol.${hex('superchat')}` }

/** Requests of which only the answer counts. @type {Record<string, Request>} */
const REQUESTS = {
  'header names in upper case': { headers: renamed(name => name.toUpperCase()) },
  'header names in lower case': { headers: renamed(name => name.toLowerCase()) },
  'Connection: keep-alive, Upgrade': { headers: { Connection: 'keep-alive, Upgrade' } },
  'POST without a body': { line: 'POST * HTTP/1.1', headers: { 'Content-Length': '0' } },
  'POST without Content-Length': { line: 'POST * HTTP/1.1' },
  HEAD: { line: 'HEAD * HTTP/1.1' },
  'HTTP/1.0': { line: 'GET * HTTP/1.0' },
  'HTTP/2.0': { line: 'GET * HTTP/2.0' },
  'no Upgrade': { headers: { Upgrade: undefined } },
  'Upgrade: h2c': { headers: { Upgrade: 'h2c' } },
  'no Connection': { headers: { Connection: undefined } },
  'Connection: keep-alive': { headers: { Connection: 'keep-alive' } },
  'no key': { headers: { 'Sec-WebSocket-Key': undefined } },
  'an empty key': { headers: { 'Sec-WebSocket-Key': '' } },
  'a key of 15 bytes': { headers: { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAA' } },
  'a key that is no base64': { headers: { 'Sec-WebSocket-Key': 'not base64 at all!' } },
  'a key with spaces behind it': { headers: { 'Sec-WebSocket-Key': `${HEADERS['Sec-WebSocket-Key']}  ` } },
  'two keys': { headers: { 'Sec-WebSocket-Key': [HEADERS['Sec-WebSocket-Key'], 'AAAAAAAAAAAAAAAAAAAAAA=='] } },
  'a key in the 24th header line': {
    headers: { 'Sec-WebSocket-Key': undefined },
    extra: `${FILLERS}Sec-WebSocket-Key: ${HEADERS['Sec-WebSocket-Key']}\r\n`,
  },
  'no version': { headers: { 'Sec-WebSocket-Version': undefined } },
  'version 8': { headers: { 'Sec-WebSocket-Version': '8' } },
  'version 013': { headers: { 'Sec-WebSocket-Version': '013' } },
  'version 13, 8': { headers: { 'Sec-WebSocket-Version': '13, 8' } },
  'version 13 with a space behind it': { headers: { 'Sec-WebSocket-Version': '13 ' } },
  'no Host': { headers: { Host: undefined } },
  'an unknown path': { path: '/nowhere' },
  'an Origin of the same host': { headers: { Host: 'chat.example', Origin: 'http://chat.example' } },
  'an Origin of another host': { headers: { Origin: 'http://elsewhere.example' } },
  'subprotocols offered': { headers: { 'Sec-WebSocket-Protocol': 'chat, superchat' } },
  'a subprotocol offered and chosen': {
    headers: { 'Sec-WebSocket-Protocol': 'chat, superchat' },
    query: CHOICE,
  },
  'a subprotocol chosen that was not offered': { query: CHOICE },
  'extensions offered': { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' } },
}

/** @type {Conversation[]} */
const ANSWERS = Object.entries(REQUESTS).map(([name, request]) => ({
  name: `request: ${name}`,
  async talk(talk) {
    const a = await talk.open('a', request, { bare: request.line?.startsWith('HEAD') })
    if (a.upgraded) await a.alive()
  },
}))

/** @type {Conversation[]} */
export const HANDSHAKES = [
  {
    name: 'handshake: the 101, every header',
    talk: async talk => void (await talk.open('a', {}, { headers: true })),
  },
  {
    name: 'handshake: the 101 with headers of the handler',
    async talk(talk) {
      const headers = { 'x-first': '1', 'set-cookie': 'a=b', 'x-second': '2' }
      const request = Object.entries(headers).map(([name, value]) => `header.${name}.${hex(value)}`).join()
      await talk.open('a', { query: { request } }, { headers: true })
    },
  },
  ...ANSWERS,
  {
    name: 'handshake: a second request after a refusal',
    async talk(talk) {
      const a = await talk.open('a', { headers: { 'Sec-WebSocket-Version': '8' } })
      await sleep(50)
      a.sendRequest()
      await a.response()
      if (a.upgraded) await a.alive()
    },
  },
  {
    name: 'handshake: status in the handler after 101',
    async talk(talk) {
      const a = await talk.open('a', { query: { request: 'status' } })
      await talk.event(a, /^status/)
    },
  },
  {
    name: 'handshake: status in the handler after a refusal for the key, and no callback',
    async talk(talk) {
      const a = await talk.open('a', { headers: { 'Sec-WebSocket-Key': undefined }, query: { request: 'status' } })
      await talk.event(a, /^status/)
    },
  },
  {
    name: 'handshake: status in the handler after a refusal for the version, and no callback',
    async talk(talk) {
      const a = await talk.open('a', { headers: { 'Sec-WebSocket-Version': '8' }, query: { request: 'status' } })
      await talk.event(a, /^status/)
    },
  },
  {
    name: 'handshake: a frame in the same segment',
    async talk(talk) {
      const a = await talk.open('a', { behind: frame(TEXT, 'early') })
      await a.alive()
    },
  },
  {
    name: 'handshake: half a frame in the same segment',
    async talk(talk) {
      const whole = frame(TEXT, 'early')
      const a = await talk.open('a', { behind: whole.subarray(0, 8) })
      a.send(whole.subarray(8))
      await a.settle()
    },
  },
  {
    name: 'handshake: a second request right behind the first',
    async talk(talk) {
      const a = await talk.open('a', { behind: Buffer.from('GET /talk HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n') })
      await a.alive()
    },
  },
  {
    name: 'handshake: a send in onconnect is right behind the 101',
    talk: talk => opened(talk, { connect: `send.1.${hex('hello')}` }),
  },
  {
    name: 'handshake: a LOCAL broadcast with NULL in onconnect',
    talk: talk => opened(talk, { connect: `cast.0.1.1.${hex('hello')}` }),
  },
  {
    name: 'handshake: a LOCAL broadcast with the connection itself in onconnect',
    talk: talk => opened(talk, { connect: `cast.1.1.1.${hex('hello')}` }),
  },
  {
    name: 'handshake: the state in onconnect',
    talk: talk => opened(talk, { connect: 'state' }),
  },
  {
    name: 'handshake: all flags in onconnect',
    talk: talk => opened(talk, { connect: 'flags' }),
  },
  {
    name: 'handshake: disconnect in onconnect',
    async talk(talk) {
      const a = await talk.open('a', { query: { connect: 'end', disconnect: 'state' } })
      await a.ended()
    },
  },
  {
    name: 'handshake: a send in ondisconnect after disconnect in onconnect',
    async talk(talk) {
      const a = await talk.open('a', { query: { connect: 'end', disconnect: `send.1.${hex('bye')}` } })
      await a.ended()
    },
  },
  {
    name: 'handshake: KORE_RESULT_ERROR after it',
    async talk(talk) {
      const a = await talk.open('a', { query: { request: 'error', disconnect: `state,send.1.${hex('bye')}` } })
      await a.ended()
    },
  },
  {
    name: 'handshake: NULL for all callbacks',
    async talk(talk) {
      const a = await talk.open('a', { query: { request: 'none' } })
      a.send(frame(TEXT, 'nobody listens'))
      await a.alive()
    },
  },
  {
    name: 'handshake: the constants',
    talk: talk => opened(talk, { connect: 'constants' }),
  },
]

/** @param {Talk} talk @param {Record<string, string>} query */
async function opened(talk, query) {
  const a = await talk.open('a', { query })
  await a.alive()
}

/** @param {string} text */
export function hex(text) {
  return Buffer.from(text).toString('hex')
}

/** @param {(name: string) => string} rename @returns {import('./client.js').Headers} */
function renamed(rename) {
  const without = Object.keys(HEADERS).map(name => [name, undefined])
  return Object.fromEntries([...without, ...Object.entries(HEADERS).map(([name, value]) => [rename(name), value])])
}
