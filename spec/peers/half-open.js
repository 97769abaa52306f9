// @ts-check
/**
 * A cable that is pulled: server, router and client in network namespaces of their own, and the router stops forwarding.
 * Neither end gets an error; both have to find out by their heartbeat. Needs Linux, root and iproute2's `ip`.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { within } from './helpers.js'

const END = fileURLToPath(new URL('half-open-end.js', import.meta.url))
const TITLE = 'half-open peers'
/** Milliseconds. */
const HEARTBEAT = { interval: 2000, timeout: 1000 }
/** How much later than that they may be found, for the heartbeat's turns and a machine that is busy. */
const SLACK = 2500

// Addresses for documentation (RFC 5737); the machine's own network has nothing to do with these.
const SERVER = '192.0.2.1'
const TO_SERVER = '192.0.2.2'
const TO_CLIENT = '192.0.2.5'
const CLIENT = '192.0.2.6'

/** @param {import('./report.js').Report} report */
export async function run(report) {
  const network = new Network()
  const missing = network.build()
  try {
    if (missing !== undefined) report.skip(TITLE, missing)
    else await report.check(`${TITLE}: both ends drop the connection in time, 1006 heartbeat-timeout`, () => pull(network))
  } finally {
    network.remove()
  }
}

/** @param {Network} network */
async function pull(network) {
  const server = new End(network.server, 'server', 0)
  /** @type {End | undefined} */
  let client
  try {
    const { port } = await server.next("the server's port")
    client = new End(network.client, 'client', port)
    for (const end of [server, client]) {
      assert.deepEqual(await end.next('an answered ping'), { state: 'open', answered: true })
    }
    const pulled = Date.now()
    network.pull()
    const patience = HEARTBEAT.interval + HEARTBEAT.timeout + SLACK
    await Promise.all([server, client].map(async end => check(await end.next('the end'), pulled, patience)))
  } finally {
    await client?.stop()
    await server.stop()
  }
}

/** A process at one end. */
class End {
  #child
  #closed
  #lines

  /** @param {string} namespace @param {'server' | 'client'} role @param {number} port */
  constructor(namespace, role, port) {
    const { interval, timeout } = HEARTBEAT
    const command = [process.execPath, END, role, SERVER, port, interval, timeout].map(String)
    this.#child = spawn('ip', ['netns', 'exec', namespace, ...command], { stdio: ['ignore', 'pipe', 'inherit'] })
    // It may end by itself, when it has nothing left to do.
    this.#closed = once(this.#child, 'close')
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** The next that it tells. @param {string} what */
  async next(what) {
    const { value, done } = await within(this.#lines.next(), what)
    if (done) throw new Error(`the process ended before ${what}`)
    return JSON.parse(value)
  }

  async stop() {
    this.#child.kill('SIGKILL')
    await this.#closed
  }
}

/**
 * @typedef {{ code: number, reason: string, at: number }} Ending
 * @param {Ending} ending
 * @param {number} pulled
 * @param {number} patience
 */
function check({ code, reason, at }, pulled, patience) {
  assert.deepEqual({ code, reason }, { code: 1006, reason: 'heartbeat-timeout' })
  const time = at - pulled
  assert.ok(time >= HEARTBEAT.timeout && time <= patience, `after ${time} ms`)
}

/** Three machines in a row. */
class Network {
  server = `kore-ws-server-${process.pid}`
  client = `kore-ws-client-${process.pid}`
  #router = `kore-ws-router-${process.pid}`

  /** @returns {string | undefined} why it can't be had */
  build() {
    if (process.platform !== 'linux') return 'network namespaces are Linux’s'
    if (process.getuid?.() !== 0) return 'network namespaces need root: run it with sudo'
    try {
      this.#build()
      return undefined
    } catch (error) {
      const { code, stderr, message } = /** @type {NodeJS.ErrnoException & { stderr?: Buffer }} */ (error)
      if (code === 'ENOENT') return 'there is no command ip; spec/peers/install.sh installs it'
      return `no network namespace could be made: ${String(stderr ?? message).trim()}`
    }
  }

  #build() {
    const { server, client } = this
    const router = this.#router
    for (const name of [server, router, client]) ip('netns', 'add', name)
    ip('-n', router, 'link', 'add', 'left', 'type', 'veth', 'peer', 'name', 'end', 'netns', server)
    ip('-n', router, 'link', 'add', 'right', 'type', 'veth', 'peer', 'name', 'end', 'netns', client)
    address(router, 'left', TO_SERVER)
    address(router, 'right', TO_CLIENT)
    address(server, 'end', SERVER)
    address(client, 'end', CLIENT)
    ip('-n', server, 'route', 'add', 'default', 'via', TO_SERVER)
    ip('-n', client, 'route', 'add', 'default', 'via', TO_CLIENT)
    this.#forward(1)
  }

  /** What the router gets from now on it throws away, and tells nobody. */
  pull() {
    this.#forward(0)
  }

  remove() {
    for (const name of [this.server, this.client, this.#router]) {
      try {
        // Its interfaces go with it.
        ip('netns', 'delete', name)
      } catch {
        // It was not made.
      }
    }
  }

  /** @param {0 | 1} value */
  #forward(value) {
    ip('netns', 'exec', this.#router, 'sh', '-c', `echo ${value} > /proc/sys/net/ipv4/ip_forward`)
  }
}

/** @param {string} namespace @param {string} device @param {string} host */
function address(namespace, device, host) {
  ip('-n', namespace, 'address', 'add', `${host}/30`, 'dev', device)
  ip('-n', namespace, 'link', 'set', device, 'up')
}

/** @param {string[]} parameters */
function ip(...parameters) {
  execFileSync('ip', parameters, { stdio: ['ignore', 'ignore', 'pipe'] })
}
