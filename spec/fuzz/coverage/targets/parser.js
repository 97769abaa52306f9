/** Any bytes into an Endpoint: whole or cut, with either kernel, they come to the same. */
const { lib } = require('./lib.js')
const { Endpoint } = lib('protocol/endpoint')
const { BufferedOutput } = lib('protocol/output')
const { Codecs } = lib('deflate/codec')
const { portableEngine } = lib('deflate/portable-engine')

const AGREEMENT = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
}
const codecs = new Codecs(portableEngine)

function run(bytes, pieceSize, role, deflate, streaming) {
  const events = []
  let pieces = []
  const text = (bytes, start, end) => bytes.toString('latin1', start, end)
  const sink = {
    onMessage: (opcode, bytes, start, end) => events.push(`${opcode} ${text(bytes, start, end)}`),
    onMessagePiece: (_, bytes, start, end) => pieces.push(text(bytes, start, end)),
    onMessageEnd(opcode) {
      events.push(`${opcode} ${pieces.join('')}`)
      pieces = []
    },
    onPing: (bytes, start, end) => events.push(`ping ${text(bytes, start, end)}`),
    onPong: (bytes, start, end) => events.push(`pong ${text(bytes, start, end)}`),
    onClose: (code, reason, violation) => events.push(`close ${code} ${reason} ${violation?.code}`),
    onBusy() {},
    onOutput() {},
  }
  const output = new BufferedOutput()
  const decompressor = codecs.createDecompressor(role, AGREEMENT)
  const compression = deflate ? { compressor: undefined, decompressor, threshold: 0 } : undefined
  const endpoint = new Endpoint(sink, output, { role, compression, maskingKey: () => 7, maxMessageBytes: 1000 })
  endpoint.streaming = streaming
  for (let at = 0; at < bytes.length; at += pieceSize) endpoint.receive(Buffer.from(bytes.subarray(at, at + pieceSize)))
  return [...events, output.take().toString('latin1')].join('\n')
}

/** The first byte chooses the ways. */
module.exports.fuzz = data => {
  if (data.length < 2 || data.length > 8000) return
  const role = data[0] & 1 ? 'server' : 'client'
  const deflate = (data[0] & 2) !== 0
  const stream = data.subarray(1)
  const whole = run(stream, stream.length, role, deflate, false)
  if (run(stream, 1 + (data[0] >> 3), role, deflate, false) !== whole)
    throw new Error('cut, it comes to something else')
  if (run(stream, 1 + (data[0] >> 3), role, deflate, true) !== whole)
    throw new Error('streaming, it comes to something else')
}
