/** on* attributes: HTML Standard, section 8.1.8.1. */
import t from 'tap'
import { EventHandlers } from '../../lib/websocket/event-handlers.ts'

t.test('a handler is called with the target as this, among the listeners in the place where it was first set', async t => {
  const target = new EventTarget()
  const handlers = new EventHandlers(target)
  const calls: string[] = []
  const add = (name: string): void => target.addEventListener('a', () => void calls.push(name))
  const fire = (): string[] => {
    calls.length = 0
    target.dispatchEvent(new Event('a'))
    return [...calls]
  }
  t.equal(handlers.get('a'), null)
  handlers.set('a', null)
  add('first')
  const handler = function (this: unknown, event: Event): void {
    calls.push(`handler ${this === target} ${event.type}`)
  }
  handlers.set('a', handler)
  t.equal(handlers.get('a'), handler)
  add('last')
  t.strictSame(fire(), ['first', 'handler true a', 'last'])
  handlers.set('a', () => calls.push('another'))
  t.strictSame(fire(), ['first', 'another', 'last'], 'replaced, it keeps its place')
  handlers.set('a', null)
  t.equal(handlers.get('a'), null)
  t.strictSame(fire(), ['first', 'last'])
  handlers.set('a', () => calls.push('again'))
  t.strictSame(fire(), ['first', 'last', 'again'], 'set again, it comes last')
})

t.test('what is no object is null; what is no function stays, and is not called', async t => {
  const target = new EventTarget()
  const handlers = new EventHandlers(target)
  for (const value of [undefined, null, 5, 'text', true, Symbol('a'), 5n]) {
    handlers.set('a', () => t.fail('replaced by nothing'))
    handlers.set('a', value)
    t.equal(handlers.get('a'), null, String(value))
    target.dispatchEvent(new Event('a'))
  }
  for (const value of [{}, { handleEvent: () => t.fail('is no listener') }, []]) {
    handlers.set('a', value)
    t.equal(handlers.get('a'), value)
    target.dispatchEvent(new Event('a'))
  }
  let called = 0
  handlers.set('a', () => void called++)
  target.dispatchEvent(new Event('a'))
  t.equal(called, 1, 'once, though it was set often')
})

t.test('each type has its own', async t => {
  const target = new EventTarget()
  const handlers = new EventHandlers(target)
  const calls: string[] = []
  handlers.set('a', () => calls.push('a'))
  handlers.set('b', () => calls.push('b'))
  target.dispatchEvent(new Event('b'))
  t.strictSame(calls, ['b'])
})

t.test('a handler that is replaced while the event is under way', async t => {
  const target = new EventTarget()
  const handlers = new EventHandlers(target)
  const calls: string[] = []
  target.addEventListener('a', () => handlers.set('a', () => calls.push('new')))
  handlers.set('a', () => calls.push('old'))
  target.dispatchEvent(new Event('a'))
  t.strictSame(calls, ['new'])
})
