/** Connections reset in every state from the first byte of the handshake to the last of the closing handshake. */
import { Opcode, frame, request } from '../harness/wire.js'

const CLOSE = frame(Opcode.close, Buffer.from([3, 232]))
const HALF = frame(Opcode.text, 'abc').subarray(0, 7)

async function opened(attacker, path, write) {
  const peer = await attacker.open({ path })
  if (peer.open && write !== undefined) peer.write(write)
  return peer
}

/** What a peer does before it is reset. */
const STATES = [
  attacker => attacker.dial(),
  async attacker => {
    const peer = await attacker.dial()
    peer.write(request('/echo').slice(0, 60))
    return peer
  },
  async attacker => {
    const peer = await attacker.dial()
    peer.write(request('/echo'))
    return peer
  },
  async attacker => {
    const peer = await attacker.dial()
    peer.write(request('/never'))
    return peer
  },
  attacker => opened(attacker, '/echo'),
  attacker => opened(attacker, '/echo', HALF),
  attacker => opened(attacker, '/echo', frame(Opcode.text, 'answer me')),
  // Its close frame is out, ours is not; then both are.
  attacker => opened(attacker, '/echo', CLOSE),
  async attacker => {
    const peer = await opened(attacker, '/echo', CLOSE)
    await turn()
    return peer
  },
  // Ours is out, its own is not; then both are.
  attacker => opened(attacker, '/closer', frame(Opcode.text, 'close')),
  async attacker => {
    const peer = await opened(attacker, '/closer', frame(Opcode.text, 'close'))
    await turn()
    peer.write(CLOSE)
    return peer
  },
  // Half closed, without a close frame and behind one.
  async attacker => {
    const peer = await opened(attacker, '/echo')
    peer.socket.end()
    await turn()
    return peer
  },
  async attacker => {
    const peer = await opened(attacker, '/echo')
    peer.socket.end(CLOSE)
    // Node can't reset a socket while its end is on the way.
    await turn()
    return peer
  },
  // Failed by a violation: an unmasked frame.
  attacker => opened(attacker, '/echo', Buffer.from([0x81, 0])),
]

function turn() {
  return new Promise(resolve => setTimeout(resolve, 5))
}

export const resets = {
  id: 'resets',
  title: `7,000 resets, in ${STATES.length} states`,
  async run(attacker) {
    await attacker.crowd(STATES.length * attacker.scale(500, 60), async i => {
      const peer = await STATES[i % STATES.length](attacker)
      peer.reset()
      await peer.gone()
    })
    attacker.peers = []
    attacker.count('resets', STATES.length * attacker.scale(500, 60))
  },
}
