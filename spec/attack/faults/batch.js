/** Many schedules of faults side by side, on servers of their own, and what must hold in the end. */
import { Random } from '../../fuzz/random.js'
import { FaultyDuplex, networkError, randomPlan } from './duplex.js'
import { play, turns } from './script.js'
import { Planned, Watch } from './watch.js'

const COMPRESSIONS = [false, 'shared', 'dedicated']
const HEAD_END = '\r\n\r\n'
/** The network goes away after so many turns at most. */
const LIFE = 40
/** Milliseconds: short, for those that are left to the deadline; and as good as none. */
const CLOSING_TIMES = [1, 60_000]
/** For those that last long enough to feel it, in milliseconds. */
const QUICK_HEARTBEAT = { interval: 20, timeout: 20 }
/** Milliseconds until all must be over; and turns of the event loop at least, as the process may not have run. */
const PATIENCE = 30_000
const TURNS = 200
const LOOK = 20

/**
 * @param {object} lib WebSocketServer, Connection, resolveLimits, resolveCompression, createCompression, readAgreement,
 *   parseExtensionList, formatOffer
 * @param {{ seed: number, from: number, count: number, patience?: number }} range `patience`: milliseconds in which all
 *   must be over once the network is gone
 * @returns {Promise<{ faults: { index: number, what: string }[] }>}
 */
export async function runBatch(lib, { seed, from, count, patience = PATIENCE }) {
  const batch = new Batch(lib, patience)
  const runs = Array.from({ length: count }, (_, i) => batch.run(new Random(seed, from + i), from + i))
  const faults = (await Promise.all(runs)).flat()
  return { faults: [...faults, ...(await batch.close())] }
}

class Batch {
  #lib
  /** By compression and closing time. */
  #servers = new Map()
  #published = 0
  /** Faults of no schedule. @type {string[]} */
  #stray = []
  #patience

  constructor(lib, patience) {
    this.#lib = lib
    this.#patience = patience
    for (const compression of COMPRESSIONS) {
      for (const closingTime of CLOSING_TIMES)
        this.#servers.set(`${compression} ${closingTime}`, this.#createServer(compression, closingTime))
    }
  }

  #createServer(compression, closingTime) {
    return new this.#lib.WebSocketServer({
      compression,
      limits: { closingTime },
      heartbeat: closingTime === CLOSING_TIMES[0] ? QUICK_HEARTBEAT : {},
      origins: 'any',
      accept: ({ raw }) => raw.decide(),
      open: socket => socket.data.open(socket),
      message: (socket, message) => socket.data.message(socket, message),
      drain: socket => socket.data.watch.told('drain'),
      close: socket => socket.data.close(socket),
      error: (socket, error) => {
        if (socket !== null) socket.data.watch.onFailed(error)
        else if (!(error instanceof Planned)) this.#stray.push(`error of no connection: ${error?.stack ?? error}`)
      },
    })
  }

  /** @returns {Promise<{ index: number, what: string }[]>} */
  async run(random, index) {
    const schedule = new Schedule(this.#lib, random, index, this.#patience)
    const { compression, closingTime } = schedule
    const server = this.#servers.get(`${compression} ${closingTime}`)
    const publish = socket => {
      const data = `t0|${++this.#published}|${'z'.repeat(random.below(2000))}`
      if (random.oneIn(2)) socket.publish('room', data)
      else server.broadcast(data, { except: socket })
    }
    const faults = await schedule.run(server, publish)
    return faults.map(what => ({ index, what }))
  }

  async close() {
    const faults = this.#stray
    for (const [name, server] of this.#servers) {
      if (server.connections.size > 0) faults.push(`server ${name} has ${server.connections.size} connections left`)
      const closed = server.close({ timeout: 60_000 })
      let timer
      const late = new Promise(resolve => (timer = setTimeout(resolve, this.#patience, 'late')))
      if ((await Promise.race([closed, late])) === 'late')
        faults.push(`server ${name} waits for connections that are gone`)
      clearTimeout(timer)
    }
    return faults.map(what => ({ index: -1, what }))
  }
}

class Schedule {
  compression
  closingTime
  #lib
  #random
  #index
  #leftToDeadline
  #server
  #client
  #ends
  #done = []
  #patience

  constructor(lib, random, index, patience) {
    this.#lib = lib
    this.#patience = patience
    this.#random = random
    this.#index = index
    this.compression = random.pick(COMPRESSIONS)
    // Left to the deadline of the closing handshake: no network error ends it.
    this.#leftToDeadline = random.oneIn(50)
    this.closingTime = CLOSING_TIMES[this.#leftToDeadline ? 0 : 1]
    const plans = [randomPlan(random), randomPlan(random)]
    const corrupt = plans.some(({ corruptAt }) => corruptAt !== Infinity)
    this.#ends = plans.map(plan => new FaultyDuplex(random, plan))
    this.#ends[0].other = this.#ends[1]
    this.#ends[1].other = this.#ends[0]
    this.#server = new Watch('server', corrupt)
    this.#client = new Watch('client', corrupt)
  }

  async run(server, publish) {
    const [serverEnd, clientEnd] = this.#ends
    // The server tells its users nothing of the transport's end.
    serverEnd.on('close', () => setImmediate(() => this.#server.opened && this.#server.onGone()))
    this.#connectClient(clientEnd)
    server.upgrade(this.#request(publish), serverEnd, Buffer.alloc(0))
    await turns(this.#random, LIFE)
    if (this.#leftToDeadline) this.#endByDeadline()
    else this.#pullCable()
    for (const watch of [this.#server, this.#client]) await over(watch, this.#leftToDeadline, this.#patience)
    for (const end of this.#ends) end.destroy()
    return [this.#server, this.#client].flatMap(watch => [...watch.faults, ...watch.missing])
  }

  #pullCable() {
    const error = this.#random.oneIn(2) ? networkError('ETIMEDOUT') : undefined
    for (const end of this.#ends) end.destroy(error)
  }

  #endByDeadline() {
    for (const socket of this.#done) socket.close(1000)
    // Nobody listens on the other side any more; who has not begun yet never will.
    if (this.#done.length < 2) this.#pullCable()
  }

  /** As node:http would give it. */
  #request(publish) {
    const random = this.#random
    const extensions = this.compression === false ? [] : ['Sec-WebSocket-Extensions', this.#offer()]
    const rawHeaders = [
      'Host',
      'a',
      'Upgrade',
      'websocket',
      'Connection',
      'Upgrade',
      'Sec-WebSocket-Version',
      '13',
      'Sec-WebSocket-Key',
      'dGhlIHNhbXBsZSBub25jZQ==',
      ...extensions,
    ]
    const headers = Object.fromEntries(
      rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1]]] : []))
    )
    const remoteAddress = `10.${this.#index & 0xff}.${(this.#index >> 8) & 0xff}.1`
    const decision = { data: this.#serverSide(publish) }
    const kind = random.below(40)
    const decide = () => {
      if (kind === 0) throw new Planned('accept throws')
      if (kind === 1) return turns(random, 5).then(() => Promise.reject(new Planned('accept rejects')))
      if (kind === 2) return new Promise(() => {})
      return kind < 10 ? turns(random, 10).then(() => decision) : decision
    }
    return {
      method: 'GET',
      url: '/',
      httpVersion: '1.1',
      httpVersionMajor: 1,
      httpVersionMinor: 1,
      rawHeaders,
      headers,
      socket: { remoteAddress },
      decide,
    }
  }

  #offer() {
    return this.#lib.formatOffer(this.#settings)
  }

  get #settings() {
    return this.#lib.resolveCompression(this.compression)
  }

  #serverSide(publish) {
    const watch = this.#server
    return {
      watch,
      open: socket => {
        watch.onOpen()
        this.#begin(socket, 'server', watch, publish)
        return this.#mischief(socket, watch)
      },
      message: (socket, message) => {
        watch.onMessage(message)
        return this.#mischief(socket, watch)
      },
      close: socket => {
        watch.onClose()
        return this.#mischief(socket, watch)
      },
    }
  }

  /** What callbacks do at times besides: fail, take long, wait until they may send, drop the connection. */
  #mischief(socket, watch) {
    const kind = this.#random.below(60)
    if (kind === 0) throw new Planned('a callback throws')
    if (kind === 1) return turns(this.#random, 3).then(() => Promise.reject(new Planned('a callback rejects')))
    if (kind === 2) return socket.drained()
    if (kind === 3) watch.terminate(socket)
    return kind < 8 ? turns(this.#random, 3) : undefined
  }

  #begin(socket, side, watch, publish) {
    this.#done.push(socket)
    watch.track('script', play({ socket, random: this.#random, side, watch, publish }))
  }

  /** Reads the answer to the handshake, and is a Connection from there on. */
  #connectClient(transport) {
    let head = ''
    const ignore = () => {}
    transport.on('error', ignore)
    const onData = chunk => {
      head += chunk.toString('latin1')
      const end = head.indexOf(HEAD_END)
      if (end < 0) return
      transport.off('data', onData)
      transport.pause()
      if (head.startsWith('HTTP/1.1 101'))
        this.#startClient(transport, head.slice(0, end), Buffer.from(head.slice(end + HEAD_END.length), 'latin1'))
      else transport.resume()
    }
    transport.on('data', onData)
  }

  #startClient(transport, head, early) {
    const { Connection, resolveLimits, createCompression, readAgreement, parseExtensionList } = this.#lib
    const watch = this.#client
    const answered = /^sec-websocket-extensions: (.*)$/im.exec(head)?.[1]
    let agreement
    try {
      agreement = readAgreement(
        parseExtensionList(answered === undefined ? [] : [answered]) ?? [],
        this.#settingsOrNone
      )
    } catch {
      // Only of an answer that was changed on the way.
      transport.destroy()
      return
    }
    const pulled = this.#random.oneIn(3)
    const connection = new Connection({
      terms: {
        role: 'client',
        limits: resolveLimits({ closingTime: this.closingTime }),
        handlers: {
          open: () => watch.onOpen(),
          ...(!pulled && { message: (socket, message) => (watch.onMessage(message), this.#mischief(socket, watch)) }),
          drain: () => watch.told('drain'),
          close: socket => (watch.onClose(), this.#mischief(socket, watch)),
          failed: (_, error) => watch.onFailed(error),
          gone: () => watch.onGone(),
        },
      },
      transport,
      protocol: '',
      compression: agreement && createCompression('client', agreement, this.#settings),
      data: undefined,
      pulled,
    })
    connection.start(early)
    this.#begin(connection, 'client', watch, () => {})
  }

  get #settingsOrNone() {
    return this.compression === false ? undefined : this.#settings
  }
}

/** Waits until it is over, or should be. */
async function over(watch, byDeadline, patience) {
  const deadline = performance.now() + patience
  for (let left = TURNS; !watch.over && (left > 0 || performance.now() < deadline); left--) {
    await new Promise(resolve => (byDeadline ? setTimeout(resolve, LOOK) : setImmediate(resolve)))
  }
}
