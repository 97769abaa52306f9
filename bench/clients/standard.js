/** The class WebSocket that browsers have too, of Node (undici), Bun or Deno. */
import { announce, receiver, url } from './shared.js'

const PACKAGE = '../../spec/peers/node_modules/undici/index.js'
const { WebSocket } = globalThis.WebSocket === undefined ? await import(PACKAGE) : globalThis

const socket = new WebSocket(url)
const receive = receiver(text => socket.send(text))
socket.onmessage = event => receive(event.data)
socket.onopen = announce
