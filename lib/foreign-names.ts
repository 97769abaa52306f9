/** What people bring along from other libraries, by its name there, and what to write here in its place. */
import type { ForeignNames } from './protocol/option-names.ts'

const MESSAGE_BYTES = 'write limits: { messageBytes }, in bytes'
const QUEUED_BYTES = 'write limits: { queuedBytes }, in bytes'
const COMPRESSION = 'write compression, such as compression: true'
const HEARTBEAT = 'write heartbeat: { interval, timeout }, in milliseconds'
const LISTEN = 'it goes to listen, as in await server.listen({ port: 8080 })'
const ATTACH = 'write server.attach(httpServer)'
const ACCEPT = 'write accept(request), which returns nothing for yes, or refuse(401)'
const TLS = 'it goes into tls: { ca, cert, key, … }'
const IN_URL = 'it is a part of the URL'
const AGENT = 'write agent: new http.Agent({ … }), or https.Agent for wss:'
const RECONNECTING = 'write for await (const socket of reconnecting(url, options))'
const FOREVER = 'reconnecting(url, { signal }) goes on until the signal aborts'
const ORIGINS = "write origins: ['https://example.org']"
const ALWAYS_VALID = 'text is always checked'
const PONGS = 'pings are always answered'
const FRAGMENTS = 'a message in parts is socket.sendStream(source)'

/** Options of servers: ws, Bun, uWebSockets.js, websocket, Socket.IO. */
export const SERVER_NAMES: ForeignNames = new Map([
  ['allowSynchronousEvents', 'messages that arrive together are always handed over together'],
  ['autoAcceptConnections', ACCEPT],
  ['autoPong', PONGS],
  ['backlog', LISTEN],
  ['backpressureLimit', QUEUED_BYTES],
  ['clientTracking', 'the open connections are server.connections'],
  ['closeOnBackpressureLimit', "write slowReceivers: { send: 'close' }, which is the default"],
  ['connection', 'write open(socket)'],
  ['cors', ORIGINS],
  ['data', 'accept returns it, as in accept: () => ({ data: { user } })'],
  ['dropped', 'socket.droppedMessages counts them'],
  ['fetch', 'plain requests are for a node:http server of yours: write server.attach(httpServer)'],
  ['handleProtocols', "write protocols: ['chat'], or let accept return { protocol }"],
  ['host', LISTEN],
  ['hostname', LISTEN],
  ['httpServer', ATTACH],
  ['idleTimeout', 'write heartbeat: { interval, timeout }, or limits: { idleTime }, in milliseconds'],
  ['keepalive', HEARTBEAT],
  ['keepaliveInterval', HEARTBEAT],
  ['maxBackpressure', QUEUED_BYTES],
  ['maxConnections', 'write limits: { connections }'],
  ['maxHttpBufferSize', MESSAGE_BYTES],
  ['maxLifetime', 'write limits: { lifetime }, in milliseconds'],
  ['maxPayload', MESSAGE_BYTES],
  ['maxPayloadLength', MESSAGE_BYTES],
  ['maxReceivedMessageSize', MESSAGE_BYTES],
  ['noServer', 'leave it out: server.upgrade(request, socket, head) takes one request'],
  ['onclose', 'write close(socket, code, reason)'],
  ['onerror', 'write error(socket, error)'],
  ['onmessage', 'write message(socket, data)'],
  ['onopen', 'write open(socket)'],
  ['perMessageDeflate', COMPRESSION],
  ['ping', PONGS],
  ['pingInterval', HEARTBEAT],
  ['pingTimeout', HEARTBEAT],
  ['port', LISTEN],
  ['publishToSelf', 'socket.publish leaves its own connection out, server.publish does not'],
  ['sendPings', HEARTBEAT],
  ['sendPingsAutomatically', HEARTBEAT],
  ['server', ATTACH],
  ['skipUTF8Validation', ALWAYS_VALID],
  ['subscription', 'server.subscriberCount(topic) counts subscribers'],
  ['upgrade', ACCEPT],
  ['verifyClient', ACCEPT],
  ['websocket', 'its callbacks are options themselves, as in { open, message, close }'],
])

/** Options of clients: ws, undici, websocket, reconnecting-websocket, and of Node's sockets. */
export const CLIENT_NAMES: ForeignNames = new Map([
  ['allowSynchronousEvents', 'messages that arrive together are always handed over together'],
  ['auth', "write headers: { authorization: 'Basic …' }, or user and password in the URL"],
  ['autoPong', PONGS],
  ['ca', TLS],
  ['cert', TLS],
  ['createConnection', AGENT],
  ['dispatcher', 'write agent, or proxy'],
  ['family', AGENT],
  ['finishRequest', "write headers: { authorization: 'Bearer …' }"],
  ['followRedirects', 'write redirects: 5, how many to follow'],
  ['generateMask', 'masks come from node:crypto'],
  ['handshakeTimeout', 'write timeout, in milliseconds'],
  ['host', IN_URL],
  ['hostname', IN_URL],
  ['httpAgent', AGENT],
  ['httpsAgent', AGENT],
  ['key', TLS],
  ['localAddress', AGENT],
  ['lookup', AGENT],
  ['maxPayload', MESSAGE_BYTES],
  ['maxReconnectAttempts', FOREVER],
  ['maxRedirects', 'write redirects: 5, how many to follow'],
  ['maxRetries', FOREVER],
  ['onclose', 'write close(socket, code, reason)'],
  ['onerror', 'write error(socket, error)'],
  ['onmessage', 'write message(socket, data)'],
  ['onopen', 'the promise of connect resolves with the open connection'],
  ['open', 'the promise of connect resolves with the open connection'],
  ['passphrase', TLS],
  ['path', IN_URL],
  ['perMessageDeflate', COMPRESSION],
  ['pfx', TLS],
  ['port', IN_URL],
  ['protocol', "write protocols: ['chat']"],
  ['protocolVersion', 'it is always 13'],
  ['reconnect', RECONNECTING],
  ['rejectUnauthorized', TLS],
  ['servername', TLS],
  ['skipUTF8Validation', ALWAYS_VALID],
])

/** Names of limits elsewhere. */
export const LIMIT_NAMES: ForeignNames = new Map([
  ['backpressureLimit', 'write limits: { queuedBytes }'],
  ['idleTimeout', 'write limits: { idleTime }, in milliseconds'],
  ['maxBackpressure', 'write limits: { queuedBytes }'],
  ['maxConnections', 'write limits: { connections }'],
  ['maxLifetime', 'write limits: { lifetime }, in milliseconds'],
  ['maxPayload', 'write limits: { messageBytes }'],
  ['maxPayloadLength', 'write limits: { messageBytes }'],
  ['timeout', 'write limits: { handshakeTime }, { closingTime } or { idleTime }, in milliseconds'],
])

/** Of ws's `perMessageDeflate`, and of zlib. */
export const COMPRESSION_NAMES: ForeignNames = new Map([
  ['clientMaxWindowBits', "write mode: 'dedicated' and windowBits"],
  ['clientNoContextTakeover', "write mode: 'shared', which is the default"],
  ['concurrencyLimit', 'zlib has the threads that UV_THREADPOOL_SIZE says'],
  ['serverMaxWindowBits', "write mode: 'dedicated' and windowBits"],
  ['serverNoContextTakeover', "write mode: 'shared', which is the default"],
  ['zlibDeflateOptions', "write level, or mode: 'dedicated' with windowBits and memLevel"],
  ['zlibInflateOptions', "write mode: 'dedicated' and windowBits"],
])

/** The times of a heartbeat elsewhere. */
export const HEARTBEAT_NAMES: ForeignNames = new Map([
  ['idleTimeout', 'write heartbeat: { interval, timeout }, in milliseconds'],
  ['pingInterval', 'write heartbeat: { interval }, in milliseconds'],
  ['pingTimeout', 'write heartbeat: { timeout }, in milliseconds'],
])

/** Of the proxy option of HTTP clients. */
export const PROXY_NAMES: ForeignNames = new Map([
  ['auth', 'user and password go into proxy.url, as in http://user:password@proxy.example:3128'],
  ['host', 'write proxy: { url }, as in http://proxy.example:3128'],
  ['port', 'write proxy: { url }, as in http://proxy.example:3128'],
  ['uri', 'write proxy: { url }'],
])

/** Of ws's `send`. */
export const SEND_NAMES: ForeignNames = new Map([
  ['fin', FRAGMENTS],
  ['mask', 'clients mask and servers do not (RFC 6455, section 5.3)'],
  ['opcode', 'write binary: true or binary: false'],
])

/** What `accept` is thought to return: data of the user's, or an answer of other libraries. */
export const DECISION_NAMES: ForeignNames = new Map([
  ['body', 'a refusal is refuse(403, { headers, body })'],
  ['code', 'a refusal is refuse(403)'],
  ['message', 'a refusal is refuse(403, { body })'],
  ['ok', 'return nothing for yes, and refuse(403) for no'],
  ['reason', 'a refusal is refuse(403, { body })'],
  ['refuse', 'a refusal is refuse(403)'],
  ['status', 'a refusal is refuse(403)'],
  ['statusCode', 'a refusal is refuse(403)'],
])
