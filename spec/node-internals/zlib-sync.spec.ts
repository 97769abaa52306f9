import * as zlib from 'node:zlib'
import t from 'tap'
import { isCalledAsExpected, openSync, type SyncStream, type Zlib } from '../../lib/node-internals/zlib-sync.ts'
import { bytes, hex } from '../helpers/frames.ts'

const { Z_FINISH, Z_SYNC_FLUSH } = zlib.constants

function open(stream: zlib.DeflateRaw | zlib.InflateRaw): SyncStream {
  const opened = openSync(stream)
  if (opened === undefined) throw new Error('not on this release of Node')
  return opened
}

/** A stream that has these instead of its own internals. */
function streamWith(internals: Record<string, unknown>): zlib.DeflateRaw {
  return Object.assign(zlib.createDeflateRaw(), internals)
}

t.test('input and output are from and to where they are said to be', async t => {
  const stream = open(zlib.createDeflateRaw())
  const output = Buffer.alloc(16, 0xee)
  stream.write(Z_SYNC_FLUSH, Buffer.from('xHellox'), 1, 6, output, 2)
  t.equal(hex(output), 'eeee' + 'f248cdc9c90700' + '0000ffff' + 'eeeeee')
  t.equal(stream.freeOutput, 3)
  t.equal(stream.unreadInput, 0)
  stream.write(Z_SYNC_FLUSH, Buffer.from('Hello'), 0, 5, output, 13)
  t.equal(stream.freeOutput, 0, 'there is more')
  t.equal(hex(output.subarray(13)), 'f20011')
  stream.write(Z_SYNC_FLUSH, Buffer.alloc(0), 0, 0, output, 0)
  t.equal(hex(output.subarray(0, 6)), '00000000ffff')
  stream.close()
})

t.test('what is behind the end of a stream stays unread', async t => {
  const stream = open(zlib.createInflateRaw())
  const output = Buffer.alloc(16)
  stream.write(Z_SYNC_FLUSH, bytes('f348cdc9c907000102'), 0, 9, output, 0)
  t.equal(String(output.subarray(0, 5)), 'Hello')
  t.equal(stream.unreadInput, 2)
  t.equal(stream.failure, undefined)
  stream.close()
})

t.test('what is wrong is told, and forgotten by reset', async t => {
  const stream = open(zlib.createInflateRaw())
  const output = Buffer.alloc(16)
  stream.write(Z_SYNC_FLUSH, bytes('06'), 0, 1, output, 0)
  t.equal(stream.failure, 'invalid block type')
  stream.reset()
  t.equal(stream.failure, undefined)
  stream.write(Z_SYNC_FLUSH, bytes('f248cdc9c90700'), 0, 7, output, 0)
  t.equal(stream.failure, undefined)
  t.equal(String(output.subarray(0, 5)), 'Hello')
  stream.write(Z_FINISH, bytes('0000ffff'), 0, 4, output, 5)
  t.equal(stream.failure, 'unexpected end of file')
  stream.close()
})

t.test('reset forgets the context', async t => {
  const stream = open(zlib.createDeflateRaw())
  const outputs = [0, 1].map(() => {
    const output = Buffer.alloc(16)
    stream.write(Z_SYNC_FLUSH, Buffer.from('Hello'), 0, 5, output, 0)
    stream.reset()
    return hex(output)
  })
  t.equal(outputs[0], outputs[1])
  stream.close()
})

t.test('a stream of Node is closed, and an error of its does not come out of it', async t => {
  const node = zlib.createInflateRaw()
  node.on('error', () => t.fail('an error event'))
  const stream = open(node)
  stream.write(Z_SYNC_FLUSH, bytes('06'), 0, 1, Buffer.alloc(1), 0)
  stream.close()
  t.equal(node.destroyed, true)
  t.equal(node.errored, null)
})

t.test('a stream whose internals are not as expected is not used', async t => {
  const writeSync = (): void => {}
  const onerror = (): void => {}
  const others = [
    { _handle: undefined },
    { _handle: null },
    { _handle: {} },
    { _handle: { writeSync } },
    { _handle: { onerror } },
    { _handle: { writeSync: 1, onerror } },
    { _handle: { writeSync, onerror: null } },
    { _writeState: undefined },
    { _writeState: [0, 0] },
    { _writeState: new Uint8Array(2) },
    { _writeState: new Uint32Array(1) },
    { _writeState: new Uint32Array(3) },
  ]
  for (const internals of others) t.equal(openSync(streamWith(internals)), undefined, JSON.stringify(internals))
  t.not(openSync(streamWith({})), undefined)
  t.not(openSync(streamWith({ _handle: { writeSync, onerror } })), undefined)
})

t.test('Node calls its handles as we do', async t => {
  const handles = Object.getPrototypeOf(Reflect.get(zlib.createDeflateRaw(), '_handle')) as object
  const before = Object.getOwnPropertyDescriptor(handles, 'writeSync')
  t.equal(isCalledAsExpected(zlib), true, 'on every release of Node that is supported')
  t.strictSame(Object.getOwnPropertyDescriptor(handles, 'writeSync'), before, 'all is as it was')
})

/** node:zlib, on a release on which deflateRawSync does something else with handles of this kind. */
function release(writeSync: PropertyDescriptor | undefined, deflateRawSync: (handle: Handle) => void): Zlib {
  const handles = Object.create({}, writeSync === undefined ? {} : { writeSync }) as Handle
  const stream = { _handle: Object.create(handles) as Handle, close: () => {} }
  return {
    ...zlib,
    createDeflateRaw: (() => stream) as unknown as typeof zlib.createDeflateRaw,
    deflateRawSync: (() => deflateRawSync(stream._handle)) as unknown as typeof zlib.deflateRawSync,
  }
}

interface Handle {
  writeSync(...args: unknown[]): void
}

t.test('another way of calling them, on some other release, is noticed', async t => {
  const input = Buffer.from('kore-ws')
  const output = Buffer.alloc(64)
  const expected: unknown[] = [Z_SYNC_FLUSH, input, 0, input.length, output, 0, output.length]
  const method = { value: () => {}, configurable: true, writable: true, enumerable: true }
  const called = (...calls: unknown[][]): boolean =>
    isCalledAsExpected(release(method, handle => calls.forEach(args => handle.writeSync(...args))))
  t.equal(called(expected), true)
  t.equal(called(), false, 'not at all')
  t.equal(called(expected, expected), false, 'twice')
  t.equal(called([]), false)
  t.equal(called([...expected, undefined]), false, 'one argument more')
  t.equal(called(expected.slice(0, -1)), false, 'one less')
  const others: [index: number, value: unknown][] = [
    [0, Z_FINISH],
    [1, Buffer.from('kore-wt')],
    [1, 'kore-ws'],
    [1, null],
    [2, 1],
    [3, 6],
    [4, [...output]],
    [4, null],
    [5, 1],
    [6, 63],
  ]
  for (const [index, value] of others) {
    t.equal(called(expected.with(index, value)), false, `argument ${index}: ${String(value)}`)
  }
  t.equal(isCalledAsExpected(release(undefined, () => {})), false, 'no such method')
  t.equal(isCalledAsExpected(release({ ...method, value: 1 }, () => {})), false, 'no function')
  const calls = (handle: Handle): void => handle.writeSync(...expected)
  t.equal(isCalledAsExpected(release({ get: () => () => {}, configurable: true }, calls)), false, 'a getter')
})

t.test('the method is put back, whatever happens', async t => {
  const method = { value: () => {}, configurable: true, writable: true, enumerable: true }
  const broken = release(method, () => {
    throw new Error('broken')
  })
  const handles = Object.getPrototypeOf(Reflect.get(broken.createDeflateRaw(), '_handle')) as object
  t.throws(() => isCalledAsExpected(broken), { message: 'broken' })
  t.equal(Reflect.get(handles, 'writeSync'), method.value)
})
