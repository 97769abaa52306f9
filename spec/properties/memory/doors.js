/** The ways in, and the sets of options behind them: each of these with each of those is a server. */

export const DOORS = {
  tcp: {},
  unix: { unix: true },
  attached: { attached: true, unix: true },
  tls: { tls: true },
  'tls over unix': { tls: true, unix: true },
}

const MIBI = 1024 * 1024

export const SETTINGS = {
  defaults: {},
  'drop-newest': { slowReceivers: { send: 'drop-newest', broadcast: 'drop-newest' }, limits: { queuedBytes: MIBI } },
  'drop-oldest': { slowReceivers: { send: 'drop-oldest', broadcast: 'drop-oldest' }, limits: { queuedBytes: MIBI } },
  wait: { slowReceivers: { send: 'wait' }, limits: { queuedBytes: MIBI } },
  shared: { compression: 'shared' },
  dedicated: { compression: 'dedicated' },
  tight: { limits: { memory: 8 * MIBI } },
}
