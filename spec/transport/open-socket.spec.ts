import { PassThrough } from 'node:stream'
import { Socket } from 'node:net'
import t from 'tap'
import { checkTls, takeOver } from '../../lib/transport/open-socket.ts'

t.test('options of TLS are copied; what decides where to connect to is misuse', async t => {
  const given = { ca: 'x', servername: 'a', socket: undefined }
  const checked = checkTls('tls', given)
  t.strictSame(checked, given)
  t.not(checked, given)
  t.equal(checkTls('tls', undefined), undefined)
  for (const name of ['ALPNProtocols', 'host', 'path', 'port', 'socket']) {
    const expected = { name: 'MisuseError', code: 'invalid-option', message: new RegExp(`^tls\\.${name} can't be set`) }
    t.throws(() => checkTls('tls', { [name]: 'a' }), expected, name)
  }
  for (const value of [null, 5, 'text', true]) {
    t.throws(() => checkTls('proxy.tls', value), { code: 'invalid-option', message: /^proxy\.tls must be an object/ }, String(value))
  }
})

t.test('taking over: half open, no time limit, no delay; other streams are half open only', async t => {
  const calls: unknown[] = []
  class Spied extends Socket {
    override setTimeout(time: number): this {
      calls.push(['setTimeout', time])
      return this
    }
    override setNoDelay(on?: boolean): this {
      calls.push(['setNoDelay', on])
      return this
    }
  }
  const socket = new Spied()
  t.equal(socket.allowHalfOpen, false)
  takeOver(socket)
  t.equal(socket.allowHalfOpen, true)
  t.strictSame(calls, [['setTimeout', 0], ['setNoDelay', true]])
  const stream = new PassThrough({ allowHalfOpen: false })
  takeOver(stream)
  t.equal(stream.allowHalfOpen, true)
})
