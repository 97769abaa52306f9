/** The states of an endpoint and every transition between them (RFC 6455, section 7.1). */

export const EndpointState = {
  /** Messages go both ways. */
  open: 0,
  /** Our close frame is out: nothing more is sent, the peer's messages still count until its close frame comes. */
  closeSent: 1,
  /** Over: by the closing handshake, by a violation, or because the transport ended. Input is thrown away. */
  closed: 2,
} as const
export type EndpointState = (typeof EndpointState)[keyof typeof EndpointState]

/** What moves an endpoint from one state to the next. */
export type EndpointEvent = 'close-sent' | 'close-received' | 'failed' | 'transport-ended'

const { open, closeSent, closed } = EndpointState

/** The table: for each state, where each event leads, and whether a close frame of ours goes out on the way. */
export const TRANSITIONS: Readonly<
  Record<EndpointState, Readonly<Record<EndpointEvent, readonly [next: EndpointState, sendsClose: boolean]>>>
> = {
  [open]: {
    'close-sent': [closeSent, true],
    'close-received': [closed, true],
    failed: [closed, true],
    'transport-ended': [closed, false],
  },
  [closeSent]: {
    'close-sent': [closeSent, false],
    'close-received': [closed, false],
    failed: [closed, false],
    'transport-ended': [closed, false],
  },
  [closed]: {
    'close-sent': [closed, false],
    'close-received': [closed, false],
    failed: [closed, false],
    'transport-ended': [closed, false],
  },
}
