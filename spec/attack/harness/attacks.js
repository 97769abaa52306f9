/** All attacks, in the order of the table. */
import { acceptNever } from '../attacks/accept-never.js'
import { bombs } from '../attacks/bombs.js'
import { broadcast } from '../attacks/broadcast.js'
import { callbacks } from '../attacks/callbacks.js'
import { claimedLengths } from '../attacks/claimed-lengths.js'
import { fragments } from '../attacks/fragments.js'
import { headers } from '../attacks/headers.js'
import { oneAddress } from '../attacks/one-address.js'
import { pings } from '../attacks/pings.js'
import { resets } from '../attacks/resets.js'
import { selfCheck } from '../attacks/self-check.js'
import { slowHandshakes } from '../attacks/slow-handshakes.js'
import { subscriptions } from '../attacks/subscriptions.js'
import { tinyMessages } from '../attacks/tiny-messages.js'
import { trickle } from '../attacks/trickle.js'
import { unfinished } from '../attacks/unfinished.js'
import { waiting } from '../attacks/waiting.js'

/**
 * @typedef {object} Attack
 * @property {string} id
 * @property {string} title what the table calls it
 * @property {boolean} [compression] the server speaks permessage-deflate, with its defaults otherwise
 * @property {(attacker: import('./attacker.js').Attacker) => Promise<void>} run in a process of its own
 */

/** @type {Attack[]} */
export const attacks = [
  selfCheck,
  slowHandshakes,
  headers,
  acceptNever,
  oneAddress,
  claimedLengths,
  trickle,
  unfinished,
  fragments,
  tinyMessages,
  pings,
  broadcast,
  bombs,
  subscriptions,
  callbacks,
  waiting,
  resets,
]
