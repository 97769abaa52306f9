import t, { type Test } from 'tap'
import { closeEvent } from '../../lib/websocket/close-event.ts'

const INIT = { wasClean: true, code: 4000, reason: 'bye' }

/** Has the global be this, or none, for the test. */
function withGlobal(t: Test, value: unknown): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'CloseEvent')
  t.teardown(() => {
    if (before === undefined) Reflect.deleteProperty(globalThis, 'CloseEvent')
    else Object.defineProperty(globalThis, 'CloseEvent', before)
  })
  Object.defineProperty(globalThis, 'CloseEvent', { value, configurable: true, writable: true })
}

function check(t: Test, event: ReturnType<typeof closeEvent>): void {
  t.ok(event instanceof Event)
  t.match([event.type, event.wasClean, event.code, event.reason], ['close', true, 4000, 'bye'])
  t.strictSame([event.bubbles, event.cancelable], [false, false])
  t.equal(Object.prototype.toString.call(event), '[object CloseEvent]')
  t.equal(event.constructor.name, 'CloseEvent')
}

t.test('ours, where Node has none', async t => {
  withGlobal(t, undefined)
  check(t, closeEvent(INIT))
  const { wasClean, code, reason } = closeEvent({ wasClean: false, code: 1006, reason: '' })
  t.strictSame([wasClean, code, reason], [false, 1006, ''])
})

t.test('the global one, where there is one', async t => {
  check(t, closeEvent(INIT))
  class Given extends Event {
    readonly init: object
    constructor(type: string, init: object) {
      super(type)
      this.init = init
    }
  }
  withGlobal(t, Given)
  const event = closeEvent(INIT)
  t.ok(event instanceof Given)
  t.match(event, { type: 'close', init: INIT })
})
