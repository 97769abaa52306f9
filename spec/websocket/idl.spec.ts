/** Conversions of Web IDL. */
import t from 'tap'
import { toClampedShort, toOptions, toProtocols, toSendable, toText } from '../../lib/websocket/idl.ts'

t.test('USVString', async t => {
  const rows: [given: unknown, text: string][] = [
    ['a', 'a'],
    [5, '5'],
    [null, 'null'],
    [undefined, 'undefined'],
    [{}, '[object Object]'],
    [{ toString: () => 'text' }, 'text'],
    [['a', 'b'], 'a,b'],
    ['\ud800', '\ufffd'],
    ['a\udc00b', 'a\ufffdb'],
    ['\u{1f600}', '\u{1f600}'],
    [new URL('ws://a'), 'ws://a/'],
  ]
  for (const [given, text] of rows) t.equal(toText(given), text, text)
  t.throws(() => toText(Symbol('a')), TypeError)
})

t.test('[Clamp] unsigned short', async t => {
  const rows: [given: unknown, short: number][] = [
    [0, 0],
    [1000, 1000],
    [65_535, 65_535],
    [65_536, 65_535],
    [Infinity, 65_535],
    [-1, 0],
    [-Infinity, 0],
    [NaN, 0],
    ['3000', 3000],
    ['text', 0],
    [null, 0],
    [true, 1],
    [{}, 0],
    [[4000], 4000],
    [999.4, 999],
    [999.5, 1000],
    [1000.5, 1000],
    [1001.5, 1002],
    [1000.6, 1001],
    [0.5, 0],
    [-0.5, 0],
    [65_534.5, 65_534],
    [65_535.4, 65_535],
  ]
  for (const [given, short] of rows) t.equal(toClampedShort(given), short, String(given))
  t.throws(() => toClampedShort(1000n), TypeError)
  t.throws(() => toClampedShort(Symbol('a')), TypeError)
})

t.test('(BufferSource or Blob or USVString)', async t => {
  const buffer = Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7]).buffer
  const views: [view: NodeJS.ArrayBufferView | ArrayBuffer, bytes: number[]][] = [
    [buffer, [0, 1, 2, 3, 4, 5, 6, 7]],
    [new Uint8Array(buffer, 2, 3), [2, 3, 4]],
    [new DataView(buffer, 1, 2), [1, 2]],
    [new Uint16Array(buffer, 2, 2), [2, 3, 4, 5]],
    [new Float64Array(buffer), [0, 1, 2, 3, 4, 5, 6, 7]],
    [Buffer.from('ab'), [0x61, 0x62]],
    [new ArrayBuffer(0), []],
    [new Uint8Array(buffer, 8), []],
  ]
  for (const [view, bytes] of views) {
    const sendable = toSendable(view)
    t.ok(sendable instanceof Uint8Array)
    t.strictSame([...(sendable as Uint8Array)], bytes)
  }
  t.equal((toSendable(new Uint8Array(buffer, 1)) as Uint8Array).buffer, buffer, 'not copied')
  const blob = new Blob(['a'])
  t.equal(toSendable(blob), blob)
  for (const [given, text] of [['a', 'a'], [5, '5'], [null, 'null'], [{}, '[object Object]'], [[1, 2], '1,2'], ['\ud800', '\ufffd']] as const) {
    t.equal(toSendable(given), text)
  }
  t.equal(toSendable(new SharedArrayBuffer(1)), '[object SharedArrayBuffer]', 'no BufferSource')
})

t.test('memory that is shared, resizable or detached', async t => {
  t.throws(() => toSendable(new Uint8Array(new SharedArrayBuffer(1))), { name: 'TypeError', message: 'data must not be a view of a SharedArrayBuffer' })
  t.throws(() => toSendable(new DataView(new SharedArrayBuffer(1))), TypeError)
  const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer
  const resizable = new Resizable(4, { maxByteLength: 8 })
  t.throws(() => toSendable(resizable), { name: 'TypeError', message: 'data must not be resizable' })
  t.throws(() => toSendable(new Uint8Array(resizable)), TypeError)
  const detached = new ArrayBuffer(4)
  const view = new Uint8Array(detached)
  structuredClone(detached, { transfer: [detached] })
  for (const gone of [detached, view]) t.strictSame(toSendable(gone), new Uint8Array())
})

t.test('(DOMString or sequence<DOMString>), or options', async t => {
  const rows: [given: unknown, protocols: unknown][] = [
    [undefined, []],
    ['a', ['a']],
    ['', ['']],
    [null, ['null']],
    [5, ['5']],
    [[], []],
    [['a', 5, null], ['a', '5', 'null']],
    [new Set(['a', 'b']), ['a', 'b']],
    [new String('ab'), ['a', 'b']],
  ]
  for (const [given, protocols] of rows) t.strictSame(toProtocols(given), protocols, String(given))
  const options = { headers: {} }
  t.equal(toProtocols(options), options)
  t.throws(() => toProtocols([Symbol('a')]), TypeError)
  t.throws(() => toProtocols(Symbol('a')), TypeError)
})

t.test('options: headers as Fetch has them, and no dispatcher that is none', async t => {
  const rows: [given: object, options: object][] = [
    [{}, {}],
    [{ timeout: 5 }, { timeout: 5 }],
    [{ dispatcher: undefined, headers: undefined }, {}],
    [{ dispatcher: 5 }, { dispatcher: 5 }],
    [{ headers: { a: 'b', c: ['d', 'e'] } }, { headers: { a: 'b', c: ['d', 'e'] } }],
    [{ headers: [] }, { headers: {} }],
    [{ headers: [['a', 'b'], ['C', 'd'], ['A', 'e']] }, { headers: { a: ['b', 'e'], C: ['d'] } }],
    [{ headers: [['a', 5]] }, { headers: { a: ['5'] } }],
    [{ headers: new Map([['a', 'b']]) }, { headers: { a: ['b'] } }],
    [{ headers: new Headers({ A: 'b', c: 'd' }) }, { headers: { a: ['b'], c: ['d'] } }],
    [{ headers: 5 }, { headers: 5 }],
    [{ headers: null }, { headers: null }],
  ]
  for (const [given, options] of rows) t.strictSame(toOptions(given), options, JSON.stringify(given))
  for (const headers of [['ab', 'cd'], [['a']], [['a', 'b', 'c']], [5], [null]]) t.throws(() => toOptions({ headers }), TypeError, JSON.stringify(headers))
})
