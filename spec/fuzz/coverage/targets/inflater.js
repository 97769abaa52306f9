/** Any bytes as a compressed message: both engines come to the same, within the limit. */
const zlib = require('node:zlib')
const { lib } = require('./lib.js')
const { createFastEngine } = lib('deflate/fast-engine')
const { portableEngine } = lib('deflate/portable-engine')
const { History } = lib('deflate/history')
const { Violation } = lib('protocol/violation')

const LIMITS = [0, 1, 100, 100_000]
const fast = createFastEngine(zlib) ?? portableEngine

function inflate(engine, bytes, limit, size) {
  const history = size === 0 ? undefined : new History(2 ** size)
  history?.append(Buffer.from('a history to refer back to, '.repeat(30)), 0, 28 * 30)
  try {
    const message = engine.inflate(bytes, 0, bytes.length, limit, history)
    if (message.length > limit) throw new Error(`${message.length} bytes pass the limit of ${limit}`)
    return message.toString('latin1')
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    return undefined
  }
}

/** The first byte chooses limit and history. */
module.exports.fuzz = data => {
  if (data.length < 2 || data.length > 8000) return
  const limit = LIMITS[data[0] & 3]
  const size = [0, 9, 12, 15][(data[0] >> 2) & 3]
  const bytes = data.subarray(1)
  if (inflate(fast, bytes, limit, size) !== inflate(portableEngine, bytes, limit, size))
    throw new Error('the engines differ')
}
