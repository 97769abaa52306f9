/** Kore's constants, under its names and with its values (kore.h). */

export const WEBSOCKET_OP_CONT = 0x00
export const WEBSOCKET_OP_TEXT = 0x01
export const WEBSOCKET_OP_BINARY = 0x02
export const WEBSOCKET_OP_CLOSE = 0x08
export const WEBSOCKET_OP_PING = 0x09
export const WEBSOCKET_OP_PONG = 0x0a

/** This worker. */
export const WEBSOCKET_BROADCAST_LOCAL = 1
/** Every worker. */
export const WEBSOCKET_BROADCAST_GLOBAL = 2

export const CONN_STATE_UNKNOWN = 0
export const CONN_STATE_TLS_SHAKE = 1
export const CONN_STATE_ESTABLISHED = 2
export const CONN_STATE_DISCONNECTING = 3

export const CONN_PROTO_UNKNOWN = 0
export const CONN_PROTO_HTTP = 1
export const CONN_PROTO_WEBSOCKET = 2
export const CONN_PROTO_MSG = 3

export const CONN_IDLE_TIMER_ACT = 0x01
export const CONN_CLOSE_EMPTY = 0x02
export const CONN_WS_CLOSE_SENT = 0x04
export const CONN_IS_BUSY = 0x08

export const KORE_RESULT_ERROR = 0
export const KORE_RESULT_OK = 1
export const KORE_RESULT_RETRY = 2
