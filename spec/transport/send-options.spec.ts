import t from 'tap'
import { checkBroadcastOptions, checkPublishOptions, checkSendOptions } from '../../lib/transport/send-options.ts'

const CHECKS = { send: checkSendOptions, publish: checkPublishOptions, broadcast: checkBroadcastOptions }
const MISUSE = { name: 'MisuseError', code: 'invalid-argument' }

/** Whether a check takes what nobody's types allow. */
function takes(check: (options: object) => void, options: unknown): boolean {
  try {
    check(options as object)
    return true
  } catch {
    return false
  }
}

t.test('each takes its own names, and true, false and undefined for them', async t => {
  for (const [name, check] of Object.entries(CHECKS)) {
    t.ok(takes(check, {}), name)
    for (const value of [true, false, undefined]) {
      t.ok(takes(check, { binary: value }), `${name}, binary: ${String(value)}`)
      t.ok(takes(check, { compress: value }), `${name}, compress: ${String(value)}`)
    }
    for (const scope of ['local', 'global', undefined]) t.equal(takes(check, { scope }), name !== 'send', `${name}, ${String(scope)}`)
    t.equal(takes(check, { except: undefined }), name === 'broadcast', `${name}, except`)
  }
})

t.test('anything else is misuse that says what to write', async t => {
  for (const [name, check] of Object.entries(CHECKS)) {
    for (const value of [null, undefined, 5, true, 'text', Symbol('x'), 5n]) {
      t.throws(() => check(value as unknown as object), { ...MISUSE, message: /^options must be an object, as in / }, `${name}, ${String(value)}`)
    }
    t.throws(() => check((() => {}) as object), { ...MISUSE, message: /drained\(\) resolves/ }, name)
    for (const key of ['binary', 'compress'] as const) {
      for (const value of [null, 0, 1, 'yes', {}]) {
        t.throws(() => check({ [key]: value } as object), { ...MISUSE, message: new RegExp(`^${key} must be true or false, and not `) }, `${name}, ${key}`)
      }
    }
    t.throws(() => check({ fin: true } as object), { ...MISUSE, message: /^fin is no option: .*sendStream/ }, name)
    t.throws(() => check({ binray: true } as object), { ...MISUSE, message: /^binray is no option, binary is; / }, name)
  }
  for (const scope of ['all', null, 5]) {
    t.throws(() => checkPublishOptions({ scope } as object), { ...MISUSE, message: /^scope must be 'local' or 'global', and not / })
    t.throws(() => checkBroadcastOptions({ scope } as object), { ...MISUSE, message: /^scope must be 'local' or 'global', and not / })
  }
  t.throws(() => checkPublishOptions({ except: undefined } as object), { ...MISUSE, message: /^except is no option: socket.publish leaves/ })
})
