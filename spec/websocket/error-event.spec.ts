import t, { type Test } from 'tap'
import { errorEvent } from '../../lib/websocket/error-event.ts'

const CAUSE = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })

/** Has the global be this, or none, for the test. */
function withGlobal(t: Test, value: unknown): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'ErrorEvent')
  t.teardown(() => {
    if (before === undefined) Reflect.deleteProperty(globalThis, 'ErrorEvent')
    else Object.defineProperty(globalThis, 'ErrorEvent', before)
  })
  Object.defineProperty(globalThis, 'ErrorEvent', { value, configurable: true, writable: true })
}

function check(t: Test, event: ReturnType<typeof errorEvent>): void {
  t.ok(event instanceof Event)
  t.equal(event.type, 'error')
  t.equal(event.error, CAUSE)
  t.equal(event.message, CAUSE.message)
  t.strictSame([event.bubbles, event.cancelable], [false, false])
  t.equal(Object.prototype.toString.call(event), '[object ErrorEvent]')
  t.equal(event.constructor.name, 'ErrorEvent')
}

t.test('ours, where Node has none', async t => {
  withGlobal(t, undefined)
  check(t, errorEvent(CAUSE))
})

t.test('the global one, where there is one', async t => {
  class Given extends Event {
    readonly init: object
    constructor(type: string, init: object) {
      super(type)
      this.init = init
    }
  }
  withGlobal(t, Given)
  const event = errorEvent(CAUSE)
  t.ok(event instanceof Given)
  t.match(event, { type: 'error', init: { error: CAUSE, message: CAUSE.message } })
})

t.test('the sentence of what is no Error, and of several errors that have none together', async t => {
  const rows: [error: unknown, message: string][] = [
    ['enough', 'enough'],
    [undefined, 'undefined'],
    [new Error(''), ''],
    [new AggregateError([CAUSE, new Error('b')]), `${CAUSE.message}; b`],
    [new AggregateError([CAUSE], 'its own'), 'its own'],
    [new AggregateError([]), ''],
  ]
  for (const [error, message] of rows) {
    const event = errorEvent(error)
    t.equal(event.error, error)
    t.equal(event.message, message)
  }
})
