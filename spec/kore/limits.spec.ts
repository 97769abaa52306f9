/** What all websockets of a worker share: the defaults of a server, and that nothing is left behind. */
import t from 'tap'
import { http_response, kore_websocket_handshake } from '../../lib/kore.ts'
import { admission, memory } from '../../lib/kore/shared.ts'
import { resolveLimits } from '../../lib/limits.ts'
import { frame, masked } from '../helpers/frames.ts'
import { eventually, turn } from '../helpers/journal.ts'
import type { RawClient } from '../helpers/raw-client.ts'
import { Served } from './served.ts'

t.test('websockets are counted until they are gone, and what they hold is', async t => {
  t.equal(memory.limit, resolveLimits().memory)
  const served = await Served.start(t)
  const client = await served.client()
  t.strictSame([admission.connections, admission.handshakes, memory.bytes], [1, 0, 0])
  client.send(masked(frame('02', Buffer.alloc(4000))))
  await eventually('half a message', () => memory.bytes >= 4000)
  client.reset()
  await eventually('the end', () => admission.connections === 0)
  t.strictSame([memory.bytes, memory.holders], [0, 0])
})

t.test('one connection too many gets 503', async t => {
  const served = await Served.start(t)
  let entered = 0
  while (admission.enter(undefined) === undefined) entered++
  t.equal(entered, resolveLimits().connections)
  const refused = await served.asking()
  t.match(await refused.head(), /^HTTP\/1\.1 503 .*\r\nretry-after: 10\r\n/s)
  await refused.rest()
  t.equal(admission.connections, entered)
  for (; entered > 0; entered--) admission.leave(undefined)
  await served.client()
  t.strictSame(served.events, ['connect'])
})

t.test('handlers that take their time are counted, however they end; one too many gets 503', async t => {
  const answers: (() => void)[] = []
  const later = (): Promise<void> => new Promise(resolve => void answers.push(resolve))
  const served: Served = await Served.start(t, {
    '/': async request => {
      await later()
      kore_websocket_handshake(request, null, null, null)
    },
    '/refused': async request => {
      await later()
      http_response(request, 403)
    },
    '/thrown': async () => {
      await later()
      throw new Error('oops')
    },
  })
  const ends: [path: string, end: (client: RawClient) => void, head: RegExp | undefined][] = [
    ['/', () => {}, / 101 /],
    ['/refused', () => {}, / 403 /],
    ['/thrown', () => {}, / 500 /],
    ['/', client => client.reset(), undefined],
  ]
  for (const [path, end, head] of ends) {
    const client = await served.asking({ path }, masked(frame('81', 'early')))
    await eventually('the handler', () => answers.length === 1)
    await turn()
    t.equal(admission.handshakes, 1, path)
    await eventually('what came early', () => memory.bytes > 0)
    end(client)
    if (head === undefined) await eventually('its end', () => admission.handshakes === 0)
    answers.shift()?.()
    if (head !== undefined) t.match(await client.head(), head)
    await eventually('nothing to be left', () => admission.handshakes === 0 && memory.bytes === 0)
  }
  let waiting = 0
  while (admission.wait() === undefined) waiting++
  t.equal(waiting, resolveLimits().handshakes)
  const refused = await served.asking()
  t.match(await refused.head(), / 503 /)
  for (; waiting > 0; waiting--) admission.settle()
  answers.shift()?.()
  await turn()
  t.equal(admission.handshakes, 0)
})

t.test('a refused socket counts until it is gone, and a request that waits with what it may take', async t => {
  const answers: (() => void)[] = []
  const served = await Served.start(t, {
    '/later': () => new Promise<void>(resolve => void answers.push(resolve)),
    '/refused': request => http_response(request, 403),
  })
  const refused = await served.asking({ path: '/refused' }, '', true)
  t.match(await refused.head(), / 403 /)
  t.strictSame([admission.refused, admission.handshakes, memory.bytes], [1, 1, 4096])
  refused.end()
  await eventually('the end', () => admission.refused === 0)
  t.equal(memory.bytes, 0)
  const waiting = await served.asking({ path: '/later' })
  await eventually('the handler', () => answers.length === 1)
  t.strictSame([admission.pending, memory.bytes], [1, 48 * 1024])
  waiting.reset()
  await eventually('nothing to be left', () => admission.handshakes === 0 && memory.bytes === 0)
})

t.test('more than 128 header lines get 431, also where the handler takes its time', async t => {
  const answers: (() => void)[] = []
  const served: Served = await Served.start(t, {
    '/': request => served.handshake(request),
    '/later': () => new Promise<void>(resolve => void answers.push(resolve)),
  })
  for (const path of ['/', '/later']) {
    const client = await served.asking({ path, headers: { a: Array.from({ length: 124 }, () => '1') } })
    t.match(await client.head(), / 431 /, path)
    await client.close()
  }
  await served.client({ headers: { a: Array.from({ length: 123 }, () => '1') } })
  t.strictSame(served.events, ['connect'])
  for (const answer of answers) answer()
})
