import t from 'tap'
import { EndpointState, TRANSITIONS, type EndpointEvent } from '../../lib/protocol/states.ts'

const { open, closeSent, closed } = EndpointState
const EVENTS: readonly EndpointEvent[] = ['close-sent', 'close-received', 'failed', 'transport-ended']

interface Path {
  readonly events: readonly EndpointEvent[]
  readonly state: EndpointState
  readonly closeFrames: number
}

/** All paths of `length` events from the open state. */
function paths(length: number): Path[] {
  if (length === 0) return [{ events: [], state: open, closeFrames: 0 }]
  return paths(length - 1).flatMap(path =>
    EVENTS.map(event => {
      const [state, sends] = TRANSITIONS[path.state][event]
      return { events: [...path.events, event], state, closeFrames: path.closeFrames + (sends ? 1 : 0) }
    })
  )
}

t.test('7.1: the states, and each has a row with each event', async t => {
  t.strictSame(EndpointState, { open: 0, closeSent: 1, closed: 2 })
  for (const state of Object.values(EndpointState)) {
    t.strictSame(Object.keys(TRANSITIONS[state]).sort(), [...EVENTS].sort())
  }
})

t.test('7.1: closed is a sink, and silent', async t => {
  for (const event of EVENTS) t.strictSame(TRANSITIONS[closed][event], [closed, false], event)
})

t.test('7.1.2: only an own close frame leads to closeSent; all else ends the connection', async t => {
  for (const state of [open, closeSent] as const) {
    for (const event of EVENTS) {
      t.equal(TRANSITIONS[state][event][0], event === 'close-sent' ? closeSent : closed, `${state}, ${event}`)
    }
  }
})

t.test('5.5.1: a close frame goes out once on any path, and not at all where the transport ends first', async t => {
  for (const { events, closeFrames } of paths(4)) {
    t.equal(closeFrames, events[0] === 'transport-ended' ? 0 : 1, events.join(', '))
  }
})
