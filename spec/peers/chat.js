// @ts-check
/** The chat over two workers: a message reaches everybody else once, whichever worker they are connected to. */
import assert from 'node:assert/strict'
import { withClients } from './client-checks.js'
import { untilBothServe, workerOf, workersOf } from './workers.js'

const CLIENTS = 8
const MESSAGES = 50

/** @typedef {import('./client-checks.js').Client} Client */

/**
 * @param {import('./report.js').Report} report
 * @param {string} title
 * @param {import('./client-checks.js').Open} open clients that know their `port`
 * @param {import('./server.js').Server} serve
 */
export async function checkChat(report, title, open, serve) {
  const name = `${title}, serve /chat`
  const seesWorkers = workersOf(serve.pid) !== undefined
  if (seesWorkers) await report.check(`${title}, serve: both workers take connections`, () => untilBothServe(serve))
  else report.skip(`${name}: that the clients are on both workers`, 'the system has no /proc to look it up in; run it on Linux')

  await report.check(`${name}: 8 clients on two workers, 50 messages each, to all others once and in order`, () =>
    withClients(open, async open => {
      const clients = await connectAll(open, serve.ws('/chat'))
      if (seesWorkers) {
        const workers = new Set(clients.map(client => workerOf(serve, /** @type {any} */ (client).port)))
        assert.equal(workers.size, 2, 'both workers have clients')
      }
      await everybodyTalks(clients)
    })
  )
  await report.check(`${title}, serve /people: counts to 8 and back to 0`, () =>
    withClients(open, async open => {
      const people = await open(serve.ws('/people'))
      await until(people, '0')
      const clients = await connectAll(open, serve.ws('/chat'))
      await until(people, String(CLIENTS))
      const late = await open(serve.ws('/people'))
      await until(late, String(CLIENTS))
      for (const client of clients) client.close()
      await until(people, '0')
      await until(late, '0')
    })
  )
}

/**
 * @param {import('./client-checks.js').Open} open
 * @param {string} url
 */
function connectAll(open, url) {
  return Promise.all(Array.from({ length: CLIENTS }, () => open(url)))
}

/** @param {Client[]} clients */
async function everybodyTalks(clients) {
  for (let turn = 0; turn < MESSAGES; turn++) clients.forEach((client, from) => client.send(`${from} ${turn}`))
  const heard = await Promise.all(clients.map(client => take(client, (CLIENTS - 1) * MESSAGES)))
  // A copy too many comes the same way as what the others say now, and before it.
  clients.forEach((client, from) => client.send(`${from} end`))
  const endings = await Promise.all(clients.map(client => take(client, CLIENTS - 1)))

  clients.forEach((_, self) => {
    const others = clients.map((_, from) => from).filter(from => from !== self)
    for (const from of others) {
      const said = heard[self].filter(text => text.startsWith(`${from} `))
      assert.deepEqual(said, Array.from({ length: MESSAGES }, (_, turn) => `${from} ${turn}`), `what ${self} heard from ${from}`)
    }
    assert.deepEqual(endings[self].sort(), others.map(from => `${from} end`), `what ${self} heard at the end`)
  })
}

/**
 * @param {Client} client
 * @param {number} count
 */
async function take(client, count) {
  const texts = []
  while (texts.length < count) texts.push(String(await client.next()))
  return texts
}

/**
 * @param {Client} client
 * @param {string} text
 */
async function until(client, text) {
  while ((await client.next()) !== text);
}
