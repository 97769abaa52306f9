/** What is measured, as data. */
import { CLIENT_WORKLOADS } from './client-workloads.js'
import { DEFLATE_ECHOES, deflateIdles } from './deflate-workloads.js'

/**
 * @typedef {object} Workload
 * @property {string} id
 * @property {string} group what `--only` names
 * @property {string} title
 * @property {'echo' | 'deflate' | 'burst' | 'fanout' | 'handshakes' | 'idle' | 'client-receive' | 'client-echo' | 'codec'} kind
 * @property {'echo' | 'deflate' | 'deflate-takeover' | 'chat' | 'burst' | 'client-receive' | 'client-echo'} [mode] what the
 *   server, or the client that is measured, must do
 * @property {string} unit what is counted
 * @property {object} [job] what the load generator, or the codec process, is told
 */

const ECHOES = [
  { label: '20 B', size: 20, inFlight: 1, connections: 100 },
  { label: '20 B', size: 20, inFlight: 32, connections: 100 },
  { label: '1 KiB', size: 1024, inFlight: 8, connections: 50 },
  { label: '16 KiB', size: 16 * 1024, inFlight: 4, connections: 20 },
  { label: '1 MiB', size: 1024 * 1024, inFlight: 1, connections: 8 },
]

const RECEIVERS = 200
const FANOUTS = [
  { label: '64 B', size: 64, inFlight: 1 },
  { label: '64 B', size: 64, inFlight: 16 },
  { label: '4 KiB', size: 4096, inFlight: 4 },
]

const CODEC_SIZES = [
  { label: '20 B', size: 20 },
  { label: '125 B', size: 125 },
  { label: '1 KiB', size: 1024 },
  { label: '16 KiB', size: 16 * 1024 },
  { label: '64 KiB', size: 64 * 1024 },
  { label: '1 MiB', size: 1024 * 1024 },
]

const BURST = { connections: 4, inFlight: 1, repliesEach: 1000 }
const IDLE_CONNECTIONS = 10_000
const QUICK_IDLE_CONNECTIONS = 1_000
const HANDSHAKE_LANES = 32

/** @param {{ quick: boolean }} options @returns {Workload[]} */
export function workloads({ quick }) {
  const idleConnections = quick ? QUICK_IDLE_CONNECTIONS : IDLE_CONNECTIONS
  return [
    ...ECHOES.flatMap(echo => [echoOf(echo, false), echoOf(echo, true)]),
    ...DEFLATE_ECHOES,
    ...FANOUTS.map(fanoutOf),
    {
      id: 'burst',
      group: 'burst',
      title: `${BURST.repliesEach.toLocaleString('en')} sends of 20 B in one tick to one client`,
      kind: 'burst',
      mode: 'burst',
      unit: 'messages',
      job: BURST,
    },
    {
      id: 'handshakes',
      group: 'handshakes',
      title: `handshakes, ${HANDSHAKE_LANES} at a time`,
      kind: 'handshakes',
      mode: 'echo',
      unit: 'handshakes',
      job: { connections: HANDSHAKE_LANES },
    },
    {
      id: 'idle',
      group: 'idle',
      title: `${idleConnections.toLocaleString('en')} idle connections, fewer bytes are better`,
      kind: 'idle',
      mode: 'echo',
      unit: 'bytes each',
      job: { connections: idleConnections },
    },
    ...deflateIdles(idleConnections),
    ...CLIENT_WORKLOADS,
    ...['parse', 'serialize'].flatMap(what => CODEC_SIZES.flatMap(size => [codecOf(what, size, false), codecOf(what, size, true)])),
  ]
}

function echoOf({ label, size, inFlight, connections }, binary) {
  const type = binary ? 'binary' : 'text'
  return {
    id: `echo-${short(label)}x${inFlight}-${type}`,
    group: 'echo',
    title: `echo ${label} × ${inFlight}, ${type}, ${connections} connections`,
    kind: /** @type {const} */ ('echo'),
    mode: /** @type {const} */ ('echo'),
    unit: 'messages',
    job: { size, inFlight, connections, binary },
  }
}

function fanoutOf({ label, size, inFlight }) {
  return {
    id: `fanout-${short(label)}x${inFlight}`,
    group: 'fanout',
    title: `fan-out ${label} × ${inFlight} to ${RECEIVERS} receivers, text`,
    kind: /** @type {const} */ ('fanout'),
    mode: /** @type {const} */ ('chat'),
    unit: 'deliveries',
    job: { size, inFlight, receivers: RECEIVERS },
  }
}

function codecOf(what, { label, size }, binary) {
  const type = binary ? 'binary' : 'text'
  return {
    id: `${what}-${short(label)}-${type}`,
    group: 'codec',
    title: `${what} ${label}, ${type}`,
    kind: /** @type {const} */ ('codec'),
    unit: 'frames',
    job: { what, label, size, binary },
  }
}

/** '1 KiB' as '1K', '20 B' as '20'. */
function short(label) {
  return label.replace(/ (?:B|([KM])iB)$/, '$1')
}

/** The workloads that the names mean: a group, an id, or what ids begin with, such as echo-16K. */
export function chooseWorkloads(all, names) {
  if (names === undefined) return all
  const chosen = new Set()
  for (const name of names) {
    const meant = all.filter(({ id, group }) => group === name || id === name || /^[-x]/.test(id.startsWith(name) ? id.slice(name.length) : ''))
    if (meant.length === 0) return name
    for (const workload of meant) chosen.add(workload)
  }
  return all.filter(workload => chosen.has(workload))
}
