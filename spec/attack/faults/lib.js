/** What the schedules use of lib, as it is built. */
export { createCompression, resolveCompression } from '../../../dist/deflate/compression.js'
export { formatOffer, readAgreement } from '../../../dist/deflate/negotiation.js'
export { parseExtensionList } from '../../../dist/handshake/grammar.js'
export { resolveLimits } from '../../../dist/limits.js'
export { WebSocketServer } from '../../../dist/server.js'
export { Connection } from '../../../dist/transport/connection.js'
