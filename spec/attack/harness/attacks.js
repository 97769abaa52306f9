/** All attacks, in the order of the table. */
import { acceptNever } from '../attacks/accept-never.js'
import { bombs } from '../attacks/bombs.js'
import { broadcast } from '../attacks/broadcast.js'
import { callbacks } from '../attacks/callbacks.js'
import { claimedLengths } from '../attacks/claimed-lengths.js'
import { earlyData } from '../attacks/early-data.js'
import { finalBlocks } from '../attacks/final-blocks.js'
import { fragments } from '../attacks/fragments.js'
import { halfSentRequests } from '../attacks/half-sent-requests.js'
import { headers } from '../attacks/headers.js'
import { inflaterQueue } from '../attacks/inflater-queue.js'
import { largeTexts, largeTextsInLittle } from '../attacks/large-texts.js'
import { longLivedNames } from '../attacks/long-lived-names.js'
import { oneAddress } from '../attacks/one-address.js'
import { pendingAccept } from '../attacks/pending-accept.js'
import { pendingBookkeeping } from '../attacks/pending-bookkeeping.js'
import { pings } from '../attacks/pings.js'
import { refusedLingering } from '../attacks/refused-lingering.js'
import { resets } from '../attacks/resets.js'
import { selfCheck } from '../attacks/self-check.js'
import { sharedBombs } from '../attacks/shared-bombs.js'
import { slowBesideRooms, slowBesideTls, slowBesideTraffic } from '../attacks/slow-beside-traffic.js'
import { slowHandshakes } from '../attacks/slow-handshakes.js'
import { subscriptions } from '../attacks/subscriptions.js'
import { tinyMessages } from '../attacks/tiny-messages.js'
import { trickle } from '../attacks/trickle.js'
import { unfinishedCallbacks } from '../attacks/unfinished-callbacks.js'
import { unfinished } from '../attacks/unfinished.js'
import { waiting } from '../attacks/waiting.js'

/**
 * @typedef {object} Attack
 * @property {string} id
 * @property {string} title what the table calls it
 * @property {boolean} [compression] the server speaks permessage-deflate, with its defaults otherwise
 * @property {boolean} [tls] over TLS
 * @property {boolean} [alsoTls] the attack may choose for each peer
 * @property {number} [heap] MiB, where the usual would end the attack too soon
 * @property {boolean} [crowd] hundreds of peers send at the same moment: p99 is told, and not judged
 * @property {boolean} [exhausts] the application never lets go of all that a server may hold: a newcomer may get 503
 * @property {boolean} [memory] what the server holds is judged by what it counts
 * @property {{ word: Buffer, headers: string[] }} [prober] what somebody else says instead of a word
 * @property {(attacker: import('./attacker.js').Attacker) => Promise<void>} run in a process of its own
 */

/** @type {Attack[]} */
export const attacks = [
  selfCheck,
  slowHandshakes,
  headers,
  halfSentRequests,
  refusedLingering,
  acceptNever,
  pendingAccept,
  earlyData,
  oneAddress,
  claimedLengths,
  trickle,
  unfinished,
  fragments,
  tinyMessages,
  pings,
  broadcast,
  slowBesideTraffic,
  slowBesideRooms,
  slowBesideTls,
  bombs,
  sharedBombs,
  inflaterQueue,
  finalBlocks,
  subscriptions,
  longLivedNames,
  callbacks,
  waiting,
  pendingBookkeeping,
  unfinishedCallbacks,
  largeTexts,
  largeTextsInLittle,
  resets,
]
