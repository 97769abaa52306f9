/** ws' client, as its documentation shows it: text as strings. */
import WebSocket from 'ws'
import { announce, receiver, url } from './shared.js'

const socket = new WebSocket(url)
const receive = receiver(text => socket.send(text))
socket.on('message', data => receive(data.toString()))
socket.on('open', announce)
