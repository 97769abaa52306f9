/** One server, or client that is measured, as a running process: started, asked what it uses, ended. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '../load/client.js'
import { kill, track } from './children.js'
import { pinned } from './pinning.js'
import { cpuSeconds, processTree, residentBytes } from './usage.js'

const HOST = '127.0.0.1'
const START_TIME = 60_000
const ANSWER_TIME = 1000
const POLL = 20
/** A collection asked for by a signal takes less. */
const COLLECTING = 400
const EPILOGUE = 100
/** On a busy machine it is seen long after the connections are gone. */
const LATE_EPILOGUE = 2000
/** What a run says of connections that a process may have taken with it. */
const BROKEN = /closed the connection|ECONNRESET|EPIPE|ECONNREFUSED/
/** So much of what a server complained of is kept. */
const LAST_WORDS = 2000

const linux = process.platform === 'linux'

export class ServerProcess {
  /** All processes of the server. @type {number[]} */
  pids = []
  address
  /** Why it is over. @type {string | undefined} */
  ended
  #child
  #stderr = ''
  #name

  /**
   * @param {import('./programs.js').Server} server
   * @param {string} mode
   * @param {{ node: string, cpu: number | undefined, gc?: boolean, url?: string, batch?: number }} options
   */
  static async start(server, mode, { node, cpu, gc = false, url, batch }) {
    const port = await freePort()
    const start = server.start(mode, { node, gc, port, url: url && url + server.name, batch })
    const self = new ServerProcess(server.name, start, cpu)
    try {
      const path = start.path ?? '/'
      self.address = { host: HOST, port: start.silent ? await self.#answers(port, path) : await self.#announced(), path }
    } catch (error) {
      self.stop()
      throw error
    }
    self.pids = linux ? processTree(self.#child.pid) : [self.#child.pid]
    return self
  }

  /** @param {string} name @param {import('./programs.js').Start} start @param {number | undefined} cpu */
  constructor(name, { program, parameters, env, silent }, cpu) {
    this.#name = name
    const [command, all] = pinned(cpu, program, parameters)
    const stdio = /** @type {('ignore' | 'pipe' | 'ipc')[]} */ (['ignore', silent ? 'ignore' : 'pipe', 'pipe'])
    if (!linux) stdio.push('ipc')
    this.#child = track(spawn(command, all, { stdio, detached: true, env: { ...process.env, ...env } }))
    this.#child.on('error', error => (this.ended ??= error.message))
    this.#child.on('exit', (code, signal) => (this.ended ??= this.#obituary(code, signal)))
    this.#child.stderr?.setEncoding('utf8').on('data', text => (this.#stderr = (this.#stderr + text).slice(-LAST_WORDS)))
  }

  /** Seconds of processor time used so far. */
  async cpu() {
    return linux ? cpuSeconds(this.pids) : (await this.#ask())?.cpu
  }

  /** Resident bytes. */
  async memory() {
    return linux ? residentBytes(this.pids) : (await this.#ask())?.memory
  }

  /** Lets it collect garbage, where it was started so that it can. */
  async collect() {
    for (const pid of this.pids) process.kill(pid, 'SIGUSR2')
    await delay(COLLECTING)
  }

  /** Why a run failed: a server that ended tells more than connections that broke, but its end is seen a moment later. */
  async reason(error) {
    const deadline = performance.now() + (BROKEN.test(error.message) ? LATE_EPILOGUE : EPILOGUE)
    while (this.ended === undefined && performance.now() < deadline) await delay(POLL)
    return this.ended ?? error.message
  }

  stop() {
    this.ended ??= 'stopped'
    kill(this.#child)
  }

  async #announced() {
    const child = this.#child
    let text = ''
    child.stdout.setEncoding('utf8').on('data', chunk => (text += chunk))
    return this.#poll(async () => Number(/http:\/\/[^\s:]+:(\d+)/.exec(text)?.[1] ?? 0))
  }

  #answers(port, path) {
    return this.#poll(() => answers({ host: HOST, port, path }).then(yes => (yes ? port : 0)))
  }

  async #poll(look) {
    const deadline = performance.now() + START_TIME
    while (performance.now() < deadline) {
      const found = await look()
      if (this.ended !== undefined) throw new Error(this.ended)
      if (found !== 0) return found
      await delay(POLL)
    }
    throw new Error(`did not start within ${START_TIME / 1000} s`)
  }

  async #ask() {
    if (!this.#child.connected) return undefined
    this.#child.send('usage')
    const [usage] = await once(this.#child, 'message')
    return usage
  }

  #obituary(code, signal) {
    const words = this.#stderr.trim().split('\n').findLast(line => /\S/.test(line))
    return `the process ended (${signal ?? `exit code ${code}`})${words ? `: ${words.trim()}` : ''}`
  }
}

async function freePort() {
  const probe = createServer().listen(0, HOST)
  await once(probe, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address())
  probe.close()
  await once(probe, 'close')
  return port
}

/** Whether a handshake is answered: some listen before those who serve are there. */
function answers(address) {
  return new Promise(resolve => {
    const settle = answered => {
      clearTimeout(timer)
      client.end()
      resolve(answered)
    }
    const timer = setTimeout(settle, ANSWER_TIME, false)
    const client = new Client(address, () => settle(true), () => settle(false))
  })
}
