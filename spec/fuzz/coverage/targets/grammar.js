/** Any text into the header grammar: what is taken can be written down and is read as the same again. */
const { lib } = require('./lib.js')
const { parseExtensionList, parseTokenList, isToken } = lib('handshake/grammar')
const { readRequest } = lib('handshake/request')
const { negotiate, readAgreement, NegotiationError } = lib('deflate/negotiation')
const { resolveDeflateSettings } = lib('deflate/settings')

const SETTINGS = [resolveDeflateSettings(), resolveDeflateSettings({ mode: 'dedicated' })]
const HEAD = ['Host', 'a', 'Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Version', '13']

function write(elements) {
  return elements
    .map(({ name, parameters }) =>
      [name, ...parameters.map(([key, value]) => (value === true ? key : `${key}="${value}"`))].join(';')
    )
    .join()
}

function same(a, b, what) {
  if (JSON.stringify(a) !== JSON.stringify(b)) throw new Error(`${what}: ${JSON.stringify(a)} and ${JSON.stringify(b)}`)
}

module.exports.fuzz = data => {
  const text = data.toString('latin1')
  const tokens = parseTokenList([text])
  if (tokens !== undefined && !tokens.every(isToken)) throw new Error('what is no token')
  if (tokens !== undefined) same(parseTokenList([tokens.join(' ,\t')]), tokens, 'tokens')
  const elements = parseExtensionList([text])
  if (elements !== undefined) {
    same(parseExtensionList([write(elements)]), elements, 'elements')
    for (const settings of SETTINGS) negotiated(elements, settings)
  }
  readRequest(
    { method: 'GET', url: '/', httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders: [...HEAD, ...text.split('\n')] },
    undefined
  )
}

function negotiated(elements, settings) {
  const offer = negotiate(elements, settings)
  if (offer !== undefined && parseExtensionList([offer.response])?.length !== 1)
    throw new Error(`the answer ${offer.response}`)
  try {
    readAgreement(elements, settings)
  } catch (error) {
    if (!(error instanceof NegotiationError)) throw error
  }
}
