// @ts-check
/** One conversation with one server: its clients, what their callbacks have written, and the record of both. */
import { Client, THE_END } from './client.js'

/** Connections that are opened at most until both workers have theirs. */
const TRIES = 80
const PER_WORKER = 2

/** @typedef {import('./client.js').Request} Request */
/** @typedef {import('./servers.js').Server} Server */
/** @typedef {import('./servers.js').Line} Line */

export class Talk {
  /** @type {Map<string, Client>} by the letter that the record has for it */
  #clients = new Map()
  /** Clients whose callbacks write nothing more. @type {Set<Client>} */
  #lost = new Set()
  #number
  #opened = 0

  /**
   * @param {Server} server
   * @param {string} number
   */
  constructor(server, number) {
    this.server = server
    this.#number = number
  }

  /**
   * A client with a request that is answered.
   *
   * @param {string} letter
   * @param {Request} [request]
   * @param {{ headers?: boolean, bare?: boolean }} [options]
   */
  async open(letter, request, options) {
    const client = await this.#connect()
    this.#clients.set(letter, client)
    client.sendRequest(request)
    await client.response(options)
    // Without callbacks there is nothing to wait for.
    if (request?.query?.request?.includes('none')) this.#lost.add(client)
    return client
  }

  #connect() {
    return Client.connect(this.server.port, `${this.#number}-${++this.#opened}`)
  }

  /**
   * Clients a and b of one worker, c and d of another.
   *
   * @param {Request} [request]
   * @returns {Promise<{ a: Client, b: Client, c: Client, d: Client }>}
   */
  async openOnBoth(request = {}) {
    /** @type {Map<number, Client[]>} */
    const workers = new Map()
    for (let i = 0; i < TRIES && !isFull(workers); i++) {
      const client = await this.#openAnywhere(request)
      const pid = await this.workerOf(client)
      const clients = workers.get(pid) ?? []
      workers.set(pid, clients)
      if (clients.length < PER_WORKER) clients.push(client)
      else await this.#discard(client)
    }
    const [a, b, c, d] = [...workers.values()].flat()
    if (d === undefined) throw new Error(`not two clients on each of two workers after ${TRIES} connections`)
    for (const [letter, client] of Object.entries({ a, b, c, d })) this.#clients.set(letter, client)
    return { a, b, c, d }
  }

  /**
   * A client of the same worker as another one.
   *
   * @param {string} letter
   * @param {Client} other
   * @param {Request} [request]
   */
  async openBeside(letter, other, request = {}) {
    const worker = await this.workerOf(other)
    for (let i = 0; i < TRIES; i++) {
      const client = await this.#openAnywhere(request)
      if ((await this.workerOf(client)) === worker) {
        this.#clients.set(letter, client)
        return client
      }
      await this.#discard(client)
    }
    throw new Error(`no connection of the worker that is wanted among ${TRIES}`)
  }

  /** @param {Request} request */
  async #openAnywhere(request) {
    const client = await this.#connect()
    // Else one of Kore's workers would take all.
    client.sendRequest({ ...request, query: { ...request.query, request: 'busy' } })
    await client.response()
    return client
  }

  /** Waits for the worker that replaces the only one. @param {number} gone its process id */
  untilReplaced(gone) {
    const find = (/** @type {Line[]} */ lines) => (lines.at(-1)?.pid === gone ? undefined : true)
    return this.server.until('-', find, 'a word from another worker')
  }

  /** @param {Client} client */
  async #discard(client) {
    client.finish()
    await this.event(client, /^disconnect/)
    client.destroy()
  }

  /**
   * Waits for a line of the client's callbacks.
   *
   * @param {Client} client
   * @param {RegExp} pattern
   */
  event(client, pattern) {
    const find = (/** @type {Line[]} */ lines) => lines.find(({ text }) => pattern.test(text))
    return this.server.until(client.name, find, `${pattern} of a callback`)
  }

  /** The worker that serves it. @param {Client} client @returns {Promise<number>} its process id */
  async workerOf(client) {
    return (await this.event(client, /^connect/)).pid
  }

  /**
   * Waits until all that was broadcast before has arrived: what `sender` says now goes the same ways, and when `remote`
   * of another worker has it, two round trips show that each worker has read what lay before it.
   *
   * @param {Client} sender
   * @param {Client} remote
   */
  async delivered(sender, remote) {
    sender.ask(`cast.0.1.2.${THE_END.toString('hex')}`)
    await remote.framesUntil(THE_END.toString())
    for (let i = 0; i < 2; i++) {
      for (const client of this.#clients.values()) await client.roundTrip()
    }
  }

  /** Nobody will call this client's ondisconnect. @param {Client} client */
  lose(client) {
    this.#lost.add(client)
  }

  /** Hangs up where the conversation has not ended, and waits for ondisconnect. */
  async finish() {
    try {
      for (const client of this.#clients.values()) {
        if (!client.upgraded || this.#lost.has(client)) continue
        client.finish()
        await this.event(client, /^disconnect/)
      }
    } finally {
      for (const client of this.#clients.values()) client.destroy()
    }
  }

  /** Two lines for each client: what it got, and which callbacks ran. */
  record() {
    return [...this.#clients].flatMap(([letter, client]) => [
      `${letter} got: ${client.notes.join('; ')}`,
      `${letter} callbacks: ${this.server.linesOf(client.name).map(({ text }) => text).join('; ') || 'none'}`,
    ])
  }

  /** The names under which the callbacks have written, with how much. @returns {[string, number][]} */
  written() {
    return [...this.#clients.values()].map(({ name }) => [name, this.server.linesOf(name).length])
  }
}

/** @param {Map<number, Client[]>} workers */
function isFull(workers) {
  return workers.size >= 2 && [...workers.values()].every(clients => clients.length === PER_WORKER)
}
