/** What a handler may do: take its time, throw, give nothing back, run behind an `upgrade` listener of one's own. */
import { once } from 'node:events'
import t, { type Test } from 'tap'
import {
  connections,
  CONN_STATE_DISCONNECTING,
  http_response,
  http_response_header,
  KORE_RESULT_ERROR,
  KORE_RESULT_OK,
  KORE_RESULT_RETRY,
  kore_onerror,
  kore_request,
  kore_websocket_handshake,
  kore_websocket_send,
  WEBSOCKET_OP_TEXT,
  type KoreRequest,
} from '../../lib/kore.ts'
import { closeFrame, frame, masked } from '../helpers/frames.ts'
import { Served } from './served.ts'

/** A promise that the test resolves. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return { opened, open: () => open() }
}

const EARLY = masked(frame('81', 'early'))
const EARLY_EVENT = 'text 6561726c79 5'

t.test('a frame in the same segment as the request is delivered', async t => {
  const served = await Served.start(t)
  const client = await served.asking({}, EARLY + masked(frame('82', 'x')).slice(0, 6))
  t.match(await client.head(), /^HTTP\/1.1 101 /)
  client.send(masked(frame('82', 'x')).slice(6), masked(closeFrame(1000)))
  t.equal(await client.rest(), closeFrame(1000))
  t.strictSame(served.events, ['connect', EARLY_EVENT, 'binary 78 1', 'disconnect'], 'and the half one behind it completed')
})

t.test('what comes with the request is delivered after the handler has returned', async t => {
  const order: string[] = []
  const served = await Served.start(t, request => {
    served.handshake(request)
    order.push('returned')
  })
  served.received = () => order.push('message')
  const client = await served.asking({}, EARLY + masked(frame('88')))
  await client.head()
  t.equal(await client.rest(), '8800')
  t.strictSame(order, ['returned', 'message'])
})

t.test('an async handler: await, then the handshake; what came early is kept, in order', async t => {
  const { opened, open } = gate()
  let status: number | undefined
  const served = await Served.start(t, async request => {
    served.note('asked')
    await opened
    request.owner.hdlr_extra = 'looked up'
    served.handshake(request)
    status = request.status
  })
  served.connected = c => t.equal(c.hdlr_extra, 'looked up')
  const client = await served.asking({}, EARLY)
  await served.happened('asked')
  t.equal(client.unread, '', 'nothing is answered meanwhile')
  const [socket] = [...served.sockets]
  const before = socket.bytesRead
  client.send(masked(frame('82', 'later')))
  await served.until('the second frame at the server', () => socket.bytesRead > before)
  t.strictSame(served.events, ['asked'])
  open()
  t.match(await client.head(), /^HTTP\/1.1 101 /)
  client.send(masked(frame('88')))
  t.equal(await client.rest(), '8800')
  t.equal(status, 101)
  t.strictSame(served.events, ['asked', 'connect', EARLY_EVENT, 'binary 6c61746572 5', 'disconnect'])
})

t.test('an async handler refuses', async t => {
  const served = await Served.start(t, async request => {
    await Promise.resolve()
    http_response(request, 401, 'Who are you?\n')
  })
  const client = await served.asking({}, EARLY)
  const { status, body } = await client.refusal()
  t.equal(status, 401)
  t.equal(body, 'Who are you?\n')
})

for (const how of ['end', 'reset'] as const) {
  t.test(`a client that goes away (${how}) while a handler takes its time is forgotten`, async t => {
    const { opened, open } = gate()
    let request: KoreRequest | undefined
    let done = false
    const served = await Served.start(t, async asked => {
      request = asked
      served.note('asked')
      await opened
      http_response_header(asked, 'x-a', 'b')
      served.handshake(asked)
      http_response(asked, 403)
      done = true
      return KORE_RESULT_ERROR
    })
    const client = await served.asking()
    await served.happened('asked')
    const [socket] = [...served.sockets]
    client[how]()
    await served.until('the socket to close', () => socket.closed)
    open()
    await served.until('the handler to return', () => done)
    await new Promise(resolve => setImmediate(resolve))
    t.equal(request?.status, 0)
    t.equal(connections.size, 0)
    t.strictSame(served.events, ['asked'])
    t.strictSame(served.errors, [])
  })
}

t.test('a handler that throws: 500, told to kore_onerror; with early data, and async', async t => {
  for (const asynchronous of [false, true]) {
    let asked: KoreRequest | undefined
    const handler = (request: KoreRequest): Promise<void> => {
      asked = request
      if (!asynchronous) throw new Error('broken')
      return Promise.reject(new Error('broken'))
    }
    const served = await Served.start(t, handler)
    const client = await served.asking({}, EARLY)
    const { status, body } = await client.refusal()
    t.equal(status, 500)
    t.notMatch(body, /broken/, 'the client does not get to know more')
    t.equal(asked?.status, 500)
    t.match(served.errors, [{ error: { message: 'broken' }, c: null }])
    t.equal(served.errors.length, 1)
  }
})

t.test('a handler that throws after the handshake: 1011, ondisconnect, and what came early is not delivered', async t => {
  const served = await Served.start(t, request => {
    served.handshake(request)
    throw new Error('broken')
  })
  const client = await served.asking({}, EARLY)
  t.match(await client.head(), /^HTTP\/1.1 101 /)
  t.equal(await client.rest(), closeFrame(1011))
  t.strictSame(served.events, ['connect', 'disconnect'])
  t.match(served.errors, [{ error: { message: 'broken' } }])
})

t.test('a handler that returns without an answer: 500', async t => {
  const returns = [undefined, KORE_RESULT_OK, KORE_RESULT_ERROR, KORE_RESULT_RETRY, Promise.resolve(), Promise.resolve(KORE_RESULT_ERROR)]
  for (const result of returns) {
    let asked: KoreRequest | undefined
    const served = await Served.start(t, request => {
      asked = request
      return result
    })
    const client = await served.asking()
    t.equal((await client.refusal()).status, 500)
    t.equal(asked?.status, 500)
    t.strictSame(served.errors, [])
  }
})

t.test('KORE_RESULT_ERROR after the handshake ends the connection; other results do not', async t => {
  for (const asynchronous of [false, true]) {
    const served = await Served.start(t, request => {
      served.handshake(request)
      return asynchronous ? Promise.resolve(KORE_RESULT_ERROR) : KORE_RESULT_ERROR
    })
    served.disconnected = c => {
      t.equal(c.state, CONN_STATE_DISCONNECTING)
      t.ok(kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'bye'))
    }
    const client = await served.asking()
    await client.head()
    const end = frame('81', 'bye') + '8800'
    t.equal(await client.readAs(end), end)
    client.send(EARLY, masked(frame('88')))
    t.equal(await client.rest(), '')
    t.strictSame(served.events, ['connect', 'disconnect'])
  }
  for (const result of [KORE_RESULT_OK, KORE_RESULT_RETRY, undefined, true, false]) {
    const served = await Served.start(t, request => {
      served.handshake(request)
      return result
    })
    const client = await served.client()
    client.send(EARLY, masked(closeFrame(1000)))
    t.equal(await client.rest(), closeFrame(1000), String(result))
    t.strictSame(served.events, ['connect', EARLY_EVENT, 'disconnect'])
  }
})

t.test('an upgrade listener of one\'s own: kore_request(request, head) keeps what came early', async t => {
  const served = new Served()
  served.server.on('upgrade', (request, _, head) => {
    const { socket } = request
    const asked = kore_request(request, head)
    t.equal(kore_request(request), asked, 'the same again')
    t.equal(asked, request)
    t.equal(asked.status, 0)
    asked.owner.hdlr_extra = socket.remotePort
    t.strictSame(asked.owner.addr, { address: '127.0.0.1', port: socket.remotePort, family: 'IPv4' })
    served.handshake(asked)
    t.equal(asked.status, 101)
  })
  await served.listen(t)
  served.connected = c => t.type(c.hdlr_extra, 'number')
  const client = await served.asking({}, EARLY)
  t.match(await client.head(), /^HTTP\/1.1 101 /)
  client.send(masked(frame('88')))
  t.equal(await client.rest(), '8800')
  t.strictSame(served.events, ['connect', EARLY_EVENT, 'disconnect'])
})

t.test('an upgrade listener of one\'s own may hand the request over as it is, or refuse it', async t => {
  const served = new Served()
  served.server.on('upgrade', request => {
    if (request.url === '/no') http_response(request, 403)
    else kore_websocket_handshake(request, served.onconnect, served.onmessage, served.ondisconnect)
  })
  await served.listen(t)
  const client = await served.client()
  client.send(EARLY, masked(frame('88')))
  t.equal(await client.rest(), '8800')
  t.strictSame(served.events, ['connect', EARLY_EVENT, 'disconnect'])
  const refused = await served.asking({ path: '/no' })
  t.equal((await refused.refusal()).status, 403)
})

t.test('an upgrade listener of one\'s own that takes its time', async t => {
  const { opened, open } = gate()
  const served = new Served()
  served.server.on('upgrade', async (request, _, head) => {
    const asked = kore_request(request, head)
    served.note('asked')
    await opened
    served.handshake(asked)
  })
  await served.listen(t)
  const client = await served.asking({}, EARLY)
  await served.happened('asked')
  client.send(masked(frame('82', 'x')))
  open()
  t.match(await client.head(), /^HTTP\/1.1 101 /)
  client.send(masked(frame('88')))
  t.equal(await client.rest(), '8800')
  t.strictSame(served.events, ['asked', 'connect', EARLY_EVENT, 'binary 78 1', 'disconnect'])
})

/** The client resets the connection while an upgrade listener of one's own takes its time. */
async function resetMeanwhile(t: Test): Promise<{ served: Served; errorsUnheard: number }> {
  const { opened, open } = gate()
  const served = new Served()
  let errorsUnheard = 0
  served.server.on('upgrade', async (asked, socket, head) => {
    const request = kore_request(asked, head)
    // Without a listener an error would be an uncaughtException, the end of the process.
    if (socket.listenerCount('error') === 0) socket.on('error', () => errorsUnheard++)
    served.note('asked')
    await opened
    served.handshake(request)
    served.note('tried')
  })
  await served.listen(t)
  const client = await served.asking()
  await served.happened('asked')
  const [socket] = [...served.sockets]
  client.reset()
  await served.until('the socket to close', () => socket.closed)
  open()
  await served.happened('tried')
  return { served, errorsUnheard }
}

t.test('an upgrade listener of one\'s own that takes its time: a client\'s reset does not end the process', async t => {
  const { errorsUnheard } = await resetMeanwhile(t)
  t.equal(errorsUnheard, 0, 'kore_request listens for errors of the socket')
})

t.test('an upgrade listener of one\'s own that takes its time: a client that reset is no connection', async t => {
  const { served } = await resetMeanwhile(t)
  const connected = served.events.filter(event => event === 'connect').length
  const disconnected = (): number => served.events.filter(event => event === 'disconnect').length
  if (connected > 0) await served.until('ondisconnect', () => disconnected() > 0, 500).catch(() => {})
  t.equal(disconnected(), connected, 'as many ondisconnect as onconnect')
  t.equal(connections.size, 0)
})

t.test('a handler for several paths at once, and the query', async t => {
  const urls: (string | undefined)[] = []
  const handler = (request: KoreRequest): void => {
    urls.push(request.url)
    kore_websocket_handshake(request, null, null, null)
  }
  const served = await Served.start(t, { '/a': handler, '/b': handler })
  for (const path of ['/a?x=1', '/b']) await served.client({ path })
  t.strictSame(urls, ['/a?x=1', '/b'])
})

t.test('without kore_onerror an error becomes a process warning', async t => {
  const served = await Served.start(t, () => {
    throw new Error('a warning, please')
  })
  kore_onerror(undefined)
  const warned = once(process, 'warning')
  const client = await served.asking()
  t.equal((await client.refusal()).status, 500)
  t.match(await warned, [{ message: 'a warning, please' }])

  kore_onerror(() => {
    throw new Error('thrown by kore_onerror')
  })
  const second = once(process, 'warning')
  const another = await served.asking()
  t.equal((await another.refusal()).status, 500)
  t.match(await second, [{ message: 'thrown by kore_onerror' }])
})
