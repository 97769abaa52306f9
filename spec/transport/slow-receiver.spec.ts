import t from 'tap'
import { frameSize, resolveSlowReceivers, type SlowReceiverOptions } from '../../lib/transport/slow-receiver.ts'

t.test('the default, undefined and close for both are the same: nothing to do', async t => {
  for (const options of [undefined, {}, { send: undefined, broadcast: undefined }, { send: 'close', broadcast: 'close' }] as const) {
    t.equal(resolveSlowReceivers(options), undefined)
  }
})

t.test('each policy, for what it is for', async t => {
  for (const policy of ['drop-oldest', 'drop-newest', 'wait'] as const) {
    t.strictSame(resolveSlowReceivers({ send: policy }), { send: policy, broadcast: undefined })
  }
  for (const policy of ['drop-oldest', 'drop-newest'] as const) {
    t.strictSame(resolveSlowReceivers({ broadcast: policy }), { send: undefined, broadcast: policy })
  }
})

t.test('anything else is misuse that names the option and what it may be', async t => {
  const cases: [options: unknown, message: string][] = [
    [null, 'slowReceivers must be an object of send and broadcast, and not null'],
    ['close', 'slowReceivers must be an object of send and broadcast, and not "close"'],
    [{ sends: 'close' }, 'slowReceivers.sends is no option, send is; there are send, broadcast'],
    [{ toString: 'close' }, 'slowReceivers.toString is no option; there are send, broadcast'],
    [{ send: 'drop' }, 'slowReceivers.send must be one of close, drop-oldest, drop-newest, wait, and not "drop"'],
    [{ send: null }, 'slowReceivers.send must be one of close, drop-oldest, drop-newest, wait, and not null'],
    [{ broadcast: 'wait' }, 'slowReceivers.broadcast must be one of close, drop-oldest, drop-newest, and not "wait"'],
  ]
  for (const [options, message] of cases) {
    const expected = { name: 'MisuseError', code: 'invalid-option', message }
    t.throws(() => resolveSlowReceivers(options as SlowReceiverOptions), expected)
  }
})

t.test('5.2: the bytes of a frame', async t => {
  for (const [length, header] of [[0, 2], [125, 2], [126, 4], [65_535, 4], [65_536, 10]]) {
    t.equal(frameSize('a'.repeat(length), false), header + length)
    t.equal(frameSize(Buffer.alloc(length), true), header + 4 + length)
  }
  t.equal(frameSize('ä', false), 4)
})
