/** permessage-deflate in the handshake (RFC 7692, section 7.1): what is offered, and whether the answer agreed on it. */

/** No message refers back to an earlier one, in either direction. */
export const NO_TAKEOVER = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'
/** As browsers offer it: the server decides. */
export const TAKEOVER = 'permessage-deflate; client_max_window_bits'

const EXTENSION = 'permessage-deflate'
const ALLOWED = {
  [NO_TAKEOVER]: ['server_no_context_takeover', 'client_no_context_takeover', 'server_max_window_bits'],
  [TAKEOVER]: ['client_no_context_takeover', 'server_max_window_bits', 'client_max_window_bits'],
}

/**
 * @param {string} head of the answer @param {string | undefined} offer
 * @returns {string | undefined} what is wrong with the answer's Sec-WebSocket-Extensions
 */
export function complaintAbout(head, offer) {
  const fields = [...head.matchAll(/^sec-websocket-extensions:(.*)$/gim)].map(([, value]) => value.trim())
  const answer = fields.join(', ')
  if (offer === undefined) return answer === '' ? undefined : `the handshake agreed on an extension that was not offered: ${answer}`
  if (answer === '') return 'the handshake did not agree on permessage-deflate'
  const [name, ...parameters] = answer.split(';').map(part => part.split('=', 1)[0].trim().toLowerCase())
  const right = name === EXTENSION && parameters.every(parameter => ALLOWED[offer].includes(parameter))
  // Section 7.1.1.1: who accepts that offer must say so; of the client's own messages it need not speak.
  const takeover = offer === NO_TAKEOVER && !parameters.includes('server_no_context_takeover')
  return right && !takeover ? undefined : `the handshake agreed on something else than was offered: ${answer}`
}
