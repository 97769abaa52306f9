import { once } from 'node:events'
import { createServer, request as requestHttp, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import type { Bus } from '../../lib/broadcast/bus.ts'
import { MetricsPage } from '../../lib/cli/metrics-page.ts'
import { Diagnostics } from '../../lib/diagnostics.ts'
import { takeMetrics } from '../../lib/metrics.ts'
import { parseExposition } from '../helpers/exposition.ts'
import { FakeBus } from '../helpers/fake-bus.ts'
import { eventually } from '../helpers/journal.ts'

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

interface Served {
  readonly page: MetricsPage
  ask(path?: string, method?: string): Promise<Answer>
  /** How many have come. */
  requests(): number
}

/** A worker with its page on a port of its own, and a route whose messages received are its number. */
async function served(t: Test, bus: Bus, worker: number, workers: number): Promise<Served> {
  const page = new MetricsPage(bus, worker, workers)
  const diagnostics = new Diagnostics()
  diagnostics.messagesReceived = worker
  page.add('/echo', () => ({ ...takeMetrics(diagnostics, []), uptime: 0 }))
  const http = createServer(page.listener((_, response) => void response.writeHead(418).end('other'))).listen(0, '127.0.0.1')
  let requests = 0
  http.on('request', () => requests++)
  await once(http, 'listening')
  t.teardown(() => {
    page.close()
    http.closeAllConnections()
    http.close()
  })
  const { port } = http.address() as AddressInfo
  return {
    page,
    requests: () => requests,
    async ask(path = '/metrics', method = 'GET') {
      const request = requestHttp({ port, host: '127.0.0.1', path, method, agent: false }).end()
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      return { status: response.statusCode, headers: response.headers, body: await text(response) }
    },
  }
}

/** The deadlines of pages: they never come, and are here until they are taken back. */
function deadlines(t: Test): Set<object> {
  const waiting = new Set<object>()
  const { setTimeout, clearTimeout } = globalThis
  t.teardown(() => Object.assign(globalThis, { setTimeout, clearTimeout }))
  Object.assign(globalThis, {
    setTimeout(callback: () => void, time: number): object {
      if (time !== 500) return setTimeout(callback, time)
      const deadline = {}
      waiting.add(deadline)
      return deadline
    },
    clearTimeout(timer: NodeJS.Timeout): void {
      if (!waiting.delete(timer)) clearTimeout(timer)
    },
  })
  return waiting
}

/** The workers that have a part in an answer, and what each has counted. */
function countsIn({ body }: Answer): Record<string, number> {
  const counts: Record<string, number> = {}
  const { samples } = parseExposition(body)
  for (const [key, value] of samples) {
    const [, worker] = /^kore_ws_messages_received_total\{route="\/echo",worker="(\d+)"\}$/.exec(key) ?? []
    if (worker !== undefined) counts[worker] = value
  }
  if (samples.get('kore_ws_workers') !== Object.keys(counts).length) throw new Error('workers are miscounted')
  return counts
}

t.test('one worker answers for itself, without the bus', async t => {
  const published: string[] = []
  const bus: Bus = { publish: channel => void published.push(channel), subscribe: () => () => {} }
  const { ask } = await served(t, bus, 1, 1)
  const answer = await ask()
  t.match(answer, {
    status: 200,
    headers: {
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
      'content-length': String(Buffer.byteLength(answer.body)),
      'cache-control': 'no-store',
    },
  })
  t.strictSame(countsIn(answer), { 1: 1 })
  t.strictSame(countsIn(await ask('/metrics?a=b')), { 1: 1 }, 'the query does not matter')
  const head = await ask('/metrics', 'HEAD')
  t.match(head, { status: 200, body: '', headers: { 'content-length': String(Buffer.byteLength(answer.body)) } })
  t.strictSame(published, [])
})

t.test('other requests are somebody else’s', async t => {
  const { ask } = await served(t, new FakeBus().end(), 1, 1)
  for (const [path, method] of [['/', 'GET'], ['/metrics/', 'GET'], ['/metrics', 'POST']]) {
    t.match(await ask(path, method), { status: 418, body: 'other' }, `${method} ${path}`)
  }
})

t.test('with several workers any of them answers for all, in their order', async t => {
  const waiting = deadlines(t)
  const bus = new FakeBus()
  const all = await Promise.all([3, 1, 2].map(worker => served(t, bus.end(), worker, 3)))
  for (const { ask } of all) {
    const answer = await ask()
    t.strictSame(countsIn(answer), { 1: 1, 2: 2, 3: 3 })
    t.match(answer.body, /messages_received_total\{[^}]*worker="1"\} 1\n.*worker="2"\} 2\n.*worker="3"\} 3\n/s)
  }
  const both = await Promise.all([all[0].ask(), all[1].ask(), all[0].ask()])
  for (const answer of both) t.strictSame(countsIn(answer), { 1: 1, 2: 2, 3: 3 }, 'several at once')
  t.equal(waiting.size, 0, 'no timer is left')
})

t.test('a worker that says nothing in time is left out; what it says later is not taken for another answer', async t => {
  const notes: string[] = []
  let hear: (bytes: Buffer) => void = () => {}
  const bus: Bus = {
    publish: (_, bytes) => void notes.push(Buffer.from(bytes).toString()),
    subscribe: (_, listener) => {
      hear = listener
      return () => {}
    },
  }
  const say = (note: object): void => hear(Buffer.from(JSON.stringify(note)))
  const { ask } = await served(t, bus, 1, 2)
  const answer = [{ route: '/echo', worker: 2, metrics: takeMetrics(new Diagnostics(), []) }]
  const started = performance.now()
  t.strictSame(countsIn(await ask()), { 1: 1 })
  t.ok(performance.now() - started > 400, 'it has waited')
  t.strictSame(notes, ['{"question":"1 1"}'])
  say({ question: '1 1', answer })
  const second = ask()
  await eventually('the second question', () => notes.length === 2)
  t.equal(notes[1], '{"question":"1 2"}')
  say({ question: '1 1', answer })
  say({ question: '2 2', answer })
  say({ question: '1 2', answer })
  t.strictSame(countsIn(await second), { 1: 1, 2: 0 })
})

t.test('those who ask at the same time have one answer; who asks afterwards gets a new one', async t => {
  deadlines(t)
  const bus = new FakeBus()
  const asked: string[] = []
  const other = bus.end()
  other.subscribe('metrics', bytes => {
    const { question, answer } = JSON.parse(bytes.toString()) as { question: string; answer?: unknown }
    if (answer === undefined) asked.push(question)
  })
  const answer = (): void => other.publish('metrics', Buffer.from(JSON.stringify({ question: asked.at(-1), answer: [] })))
  const [one] = [await served(t, bus.end(), 1, 3), await served(t, bus.end(), 2, 3)]
  const answers = Promise.all([one.ask(), one.ask(), one.ask()])
  await eventually('all three', () => one.requests() === 3)
  t.equal(asked.length, 1)
  answer()
  await answers
  const last = one.ask()
  await eventually('the next question', () => asked.length === 2)
  answer()
  await last
  t.equal(asked.length, 2)
})

t.test('close: nobody hears of it any more, and who waits is answered', async t => {
  const waiting = deadlines(t)
  const bus = new FakeBus()
  const [one, two] = [await served(t, bus.end(), 1, 2), await served(t, bus.end(), 2, 2)]
  t.equal(bus.listeners, 2)
  two.page.close()
  t.equal(bus.listeners, 1)
  const answer = one.ask()
  await eventually('the question', () => waiting.size === 1)
  one.page.close()
  t.strictSame(countsIn(await answer), { 1: 1 })
  t.equal(waiting.size, 0)
})
