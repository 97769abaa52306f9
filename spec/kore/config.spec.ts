/** The settings and the constants. */
import t from 'tap'
import * as kore from '../../lib/kore.ts'
import { closeFrame, frame, masked } from '../helpers/frames.ts'
import { Served } from './served.ts'

const { config } = kore

t.test('defaults', async t => {
  t.equal(config.websocket_maxframe, 16384)
  t.equal(config.websocket_timeout, 120)
  t.equal(config.websocket_origins, undefined)
})

t.test('maxframe and timeout are whole numbers or Infinity', async t => {
  for (const [name, unit] of [['websocket_maxframe', 'bytes'], ['websocket_timeout', 'seconds']] as const) {
    const before = config[name]
    for (const value of [-1, 1.5, NaN, -Infinity, '10', null, undefined, 10n, 2 ** 53]) {
      const shown = typeof value === 'string' ? '"10"' : String(value)
      t.throws(
        () => {
          config[name] = value as number
        },
        {
          name: 'MisuseError',
          code: 'invalid-option',
          message: `${name} must be a whole number of ${unit}, 0 or more, or Infinity, and not ${shown}`,
        }
      )
      t.equal(config[name], before, 'and stays as it is')
    }
    for (const value of [0, 1, 65536, Infinity]) {
      config[name] = value
      t.equal(config[name], value)
    }
    config[name] = before
  }
})

t.test('any timeout that is accepted works', async t => {
  const served = await Served.start(t)
  for (const seconds of [0x7fff_ffff, 1e12, Number.MAX_SAFE_INTEGER]) {
    config.websocket_timeout = seconds
    const client = await served.asking()
    t.match(await client.head(), /^HTTP\/1.1 101 /, String(seconds))
    config.websocket_timeout = 120
  }
})

t.test('origins', async t => {
  for (const value of ['*', 'https://example.org', ['*'], ['https://example.org/path'], [1], {}, null, 1]) {
    t.throws(
      () => {
        config.websocket_origins = value as unknown as 'any'
      },
      { name: 'MisuseError', code: 'invalid-option', message: /^origins must / }
    )
  }
  t.equal(config.websocket_origins, undefined)
})

t.test('a setting counts for the handshakes after it', async t => {
  const served = await Served.start(t)
  const before = await served.client()
  config.websocket_maxframe = 1
  const after = await served.client()
  before.send(masked(frame('81', 'hi')), masked(closeFrame(1000)))
  t.equal(await before.rest(), closeFrame(1000))
  after.send(masked(frame('81', 'hi')))
  t.match(await after.rest(), /^88..03f1/)
})

t.test('constants are those of kore.h', async t => {
  const constants = Object.entries(kore).filter(([, value]) => typeof value === 'number')
  t.strictSame(Object.fromEntries(constants), {
    WEBSOCKET_OP_CONT: 0,
    WEBSOCKET_OP_TEXT: 1,
    WEBSOCKET_OP_BINARY: 2,
    WEBSOCKET_OP_CLOSE: 8,
    WEBSOCKET_OP_PING: 9,
    WEBSOCKET_OP_PONG: 10,
    WEBSOCKET_BROADCAST_LOCAL: 1,
    WEBSOCKET_BROADCAST_GLOBAL: 2,
    CONN_STATE_UNKNOWN: 0,
    CONN_STATE_TLS_SHAKE: 1,
    CONN_STATE_ESTABLISHED: 2,
    CONN_STATE_DISCONNECTING: 3,
    CONN_PROTO_UNKNOWN: 0,
    CONN_PROTO_HTTP: 1,
    CONN_PROTO_WEBSOCKET: 2,
    CONN_PROTO_MSG: 3,
    CONN_IDLE_TIMER_ACT: 1,
    CONN_CLOSE_EMPTY: 2,
    CONN_WS_CLOSE_SENT: 4,
    CONN_IS_BUSY: 8,
    KORE_RESULT_ERROR: 0,
    KORE_RESULT_OK: 1,
    KORE_RESULT_RETRY: 2,
  })
})
