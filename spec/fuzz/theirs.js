/** A stream through the Receiver of `ws`: what comes of it, and at which byte it fails. */
import { createRequire } from 'node:module'
import { event } from './model.js'
import { piecesOf } from './streams.js'

const require = createRequire(import.meta.url)
const Receiver = require('./node_modules/ws/lib/receiver.js')
const { kStatusCode } = require('./node_modules/ws/lib/constants.js')
export const PerMessageDeflate = require('./node_modules/ws/lib/permessage-deflate.js')
export const Sender = require('./node_modules/ws/lib/sender.js')
export const version = require('./node_modules/ws/package.json').version

/** The extension as `ws` has it after a handshake. */
export function extensionFor(isServer, { takeover, windowBits }, maxPayload = 0) {
  const extension = new PerMessageDeflate({ isServer, maxPayload, threshold: 0 })
  const receives = isServer ? 'client' : 'server'
  extension.params = { [`${receives}_max_window_bits`]: windowBits }
  if (!takeover) extension.params[`${receives}_no_context_takeover`] = true
  return extension
}

/** @returns {Promise<{ events: string[], end: object }>} */
export async function runTheirs({ role, limit, deflate, stream }, cuts, inTurns = false) {
  const isServer = role === 'server'
  const extension = deflate === undefined ? undefined : extensionFor(isServer, deflate, limit)
  const extensions = extension === undefined ? {} : { [PerMessageDeflate.extensionName]: extension }
  const receiver = new Receiver({ isServer, extensions, maxPayload: limit, allowSynchronousEvents: !inTurns })
  const events = []
  let end
  receiver.on('message', (data, isBinary) => events.push(event(isBinary ? 'binary' : 'text', data)))
  for (const type of ['ping', 'pong']) receiver.on(type, data => events.push(event(type, data)))
  receiver.on('conclude', (code, reason) => {
    end = { type: 'closed', code, reason: reason.toString() }
  })
  for (const piece of piecesOf(stream, cuts)) {
    const error = await write(receiver, Buffer.from(piece))
    if (error) end = { type: 'failed', code: error[kStatusCode], error: error.code ?? error.message }
    if (end !== undefined) break
  }
  extension?.cleanup()
  return { events, end: end ?? { type: 'open' } }
}

/** Past its Writable, whose own queue would only cost time. */
function write(receiver, piece) {
  let done
  let result
  receiver._write(piece, 'buffer', error => {
    result = { error }
    done?.(error)
  })
  return result !== undefined ? result.error : new Promise(resolve => (done = resolve))
}
