// @ts-check
/** Which conversations are had with which server, in which order. */
import { ALONE, BROADCASTS } from './broadcasts.js'
import { DEADLY, ENDINGS, IDLE_TIMES, NO_TIME, ONE_SECOND, SERVED, STOP, UNWATCHED } from './endings.js'
import { HANDSHAKES } from './handshakes.js'
import { LARGE, NOTHING_FITS, RECEIVING } from './receiving.js'
import { SENDING } from './sending.js'

/**
 * @typedef {object} Group
 * @property {import('./servers.js').Settings} settings
 * @property {import('./handshakes.js').Conversation[]} conversations
 * @property {boolean} [together] all at the same time
 */

/** The groups of a lane run one after the other, the lanes side by side: one of them mostly waits. @type {Group[][]} */
export const LANES = [
  [
    { settings: { workers: 2 }, conversations: [...HANDSHAKES, ...RECEIVING, ...SENDING, ...ENDINGS, STOP] },
    { settings: { workers: 2 }, conversations: BROADCASTS },
    { settings: { workers: 2, maxframe: 70_000 }, conversations: LARGE },
  ],
  [
    { settings: { workers: 1 }, conversations: [UNWATCHED] },
    { settings: { workers: 1 }, conversations: [SERVED] },
    { settings: { workers: 1 }, conversations: IDLE_TIMES, together: true },
    { settings: { workers: 1, maxframe: 0, timeout: 1 }, conversations: [...NOTHING_FITS, ONE_SECOND] },
    { settings: { workers: 1, timeout: 0 }, conversations: [NO_TIME] },
    { settings: { workers: 1 }, conversations: [...ALONE, ...DEADLY] },
  ],
]
