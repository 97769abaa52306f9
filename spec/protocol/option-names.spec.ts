import t from 'tap'
import { checkNames, nearest, unknownName, type KnownNames } from '../../lib/protocol/option-names.ts'

const KNOWN: KnownNames = { names: ['message', 'close', 'limits'] }

t.test('names that are known pass, whatever their values', async t => {
  for (const given of [{}, { message: undefined }, { close: 1, limits: null }]) {
    t.doesNotThrow(() => checkNames('options', given, KNOWN), JSON.stringify(given))
  }
})

t.test('what is no object is misuse, with an example where there is one', async t => {
  for (const value of [null, undefined, 5, 'text', true, () => {}]) {
    t.throws(() => checkNames('options', value, KNOWN), { name: 'MisuseError', code: 'invalid-option', message: /^options must be an object, and not / })
  }
  const known: KnownNames = { ...KNOWN, example: '{ close }', code: 'invalid-argument' }
  const message = 'options must be an object, as in { close }, and not 5'
  t.throws(() => checkNames('options', 5, known), { name: 'MisuseError', code: 'invalid-argument', message })
})

t.test('an unknown name: our word for it, the nearest, or all there are', async t => {
  const foreign = new Map([['onmessage', 'write message(socket, data)']])
  const cases: [name: string, known: KnownNames, message: string][] = [
    ['onmessage', { ...KNOWN, foreign }, 'onmessage is no option: write message(socket, data)'],
    ['onmessage', KNOWN, 'onmessage is no option, message is; there are message, close, limits'],
    ['Message', KNOWN, 'Message is no option, message is; there are message, close, limits'],
    ['mesasge', KNOWN, 'mesasge is no option, message is; there are message, close, limits'],
    ['whatever', KNOWN, 'whatever is no option; there are message, close, limits'],
    ['x', { ...KNOWN, hint: 'ask' }, 'x is no option; there are message, close, limits: ask'],
    ['clos', { ...KNOWN, hint: 'ask' }, 'clos is no option, close is; there are message, close, limits'],
    ['x', { prefix: 'limits.', kind: 'limit', names: ['topics'] }, 'limits.x is no limit; there is topics'],
    ['toString', KNOWN, 'toString is no option; there are message, close, limits'],
  ]
  for (const [name, known, message] of cases) {
    const error = unknownName(name, known)
    t.strictSame([error.name, error.code, error.message], ['MisuseError', 'invalid-option', message])
    t.throws(() => checkNames('options', { [name]: 1 }, known), { code: 'invalid-option', message })
  }
  t.match(unknownName('x', { ...KNOWN, code: 'invalid-argument' }), { code: 'invalid-argument' })
})

t.test('the nearest name: at most a third of its letters away', async t => {
  const names = ['message', 'close', 'drain', 'drains']
  const cases: [name: string, near: string | undefined][] = [
    ['message', 'message'],
    ['MESSAGE', 'message'],
    ['massage', 'message'],
    ['messsage', 'message'],
    ['msg', undefined],
    ['emssage', 'message'],
    ['closed', 'close'],
    ['lcose', 'close'],
    ['drian', 'drain'],
    ['drainss', 'drains'],
    ['dreinz', 'drains'],
    ['dreenz', undefined],
    ['', undefined],
    ['messagemessagemessage', undefined],
  ]
  for (const [name, near] of cases) t.equal(nearest(name, names), near, name)
  t.equal(nearest('a', []), undefined)
})
