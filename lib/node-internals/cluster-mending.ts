/**
 * Two things that node:cluster leaves undone when a worker is killed: a port that was chosen by the system is lost with
 * the last worker, and a client that was on its way to the worker waits for ever. Both need the messages that cluster
 * sends itself, which are not documented: where they look otherwise, all is as cluster leaves it.
 */
import cluster, { type Worker } from 'node:cluster'
import { usesInternals } from './switch.ts'

/** What cluster's processes say to each other, as far as it is looked at here. */
interface Internal {
  readonly cmd?: unknown
  readonly act?: unknown
  readonly seq?: unknown
  readonly ack?: unknown
  readonly address?: unknown
  readonly addressType?: unknown
  readonly fd?: unknown
  readonly index?: unknown
  /** Names what cluster listens on, for all workers that share it. */
  readonly key?: unknown
  readonly accepted?: unknown
  port?: unknown
}

/** A client's connection on its way to a worker. */
interface Closable {
  close(): void
}

/** A port that the system chose for those that asked for any. */
interface KeptPort {
  readonly port: number
  /** Who listens on it. */
  readonly listeners: Set<Worker>
  /** Whether those asked for the port, not for any: they share it only with others that ask for the same. */
  byNumber: boolean
}

interface Underway {
  readonly key: unknown
  readonly handle: Closable
}

const ports = new Map<string, KeptPort>()
/** Who gets clients of what, by its key: those that cluster deals out to, no more and no fewer. */
const serving = new Map<unknown, Set<Worker>>()
let mending = false

/** For all workers that are forked from now on. Once is enough. */
export function mendCluster(): void {
  if (mending || !usesInternals) return
  mending = true
  cluster.on('fork', worker => {
    keepPorts(worker)
    keepClients(worker)
  })
}

/** Whoever asks for any port gets the one that the others have, or had. */
function keepPorts(worker: Worker): void {
  const asked = new Set<string>()
  // In front of cluster's own listener, which then reads what has been changed.
  worker.process.prependListener('internalMessage' as 'message', (message: unknown) => {
    if (!isInternal(message)) return
    const key = `${message.address} ${message.addressType} ${message.fd} ${message.index}`
    if (message.act === 'queryServer' && message.port === 0) {
      asked.add(key)
      const kept = ports.get(key)
      if (kept === undefined) return
      // One that is being replaced has let go of it.
      if ([...kept.listeners].every(each => each.exitedAfterDisconnect)) kept.byNumber = true
      if (kept.byNumber) message.port = kept.port
    } else if (message.act === 'listening' && asked.has(key) && typeof message.port === 'number') {
      const kept = ports.get(key) ?? { port: message.port, listeners: new Set(), byNumber: false }
      ports.set(key, kept)
      kept.listeners.add(worker)
    }
  })
  worker.once('exit', () => {
    for (const { listeners } of ports.values()) listeners.delete(worker)
  })
}

/** A client that was on its way to a worker that died goes to another one; without one it is let go. */
function keepClients(worker: Worker): void {
  const underway = new Map<unknown, Underway>()
  const { process: child } = worker
  const send = child.send.bind(child) as (message: unknown, handle?: unknown, ...rest: unknown[]) => boolean
  const tracking = (message: unknown, handle?: unknown, ...rest: unknown[]): boolean => {
    if (isInternal(message)) {
      const { act, key, seq, ack } = message
      if (act === 'newconn' && isClosable(handle)) underway.set(seq, { key, handle })
      // The answer to a worker that asked to listen.
      else if (ack !== undefined && key !== undefined) serversOf(key).add(worker)
    }
    return send(message, handle, ...rest)
  }
  child.send = tracking as typeof child.send
  // In front of cluster's own, which deals out again what a worker would not have: to nobody, if there is no other.
  child.prependListener('internalMessage' as 'message', (message: unknown) => {
    if (!isInternal(message)) return
    if (message.act === 'close') serversOf(message.key).delete(worker)
    const client = underway.get(message.ack)
    if (client === undefined) return
    underway.delete(message.ack)
    if (message.accepted === false && serversOf(client.key).size === 0) client.handle.close()
  })
  // While a connection is under way, a channel never says that it has ended, and the worker would stay on cluster's lists.
  child.prependOnceListener('exit', () => {
    if (underway.size > 0 && child.connected) child.disconnect()
  })
  // Behind cluster's own listeners, which have taken the worker off its lists by then.
  for (const event of ['disconnect', 'exit']) {
    child.once(event, () => {
      for (const [key, workers] of serving) {
        workers.delete(worker)
        if (workers.size === 0) serving.delete(key)
      }
      for (const seq of [...underway.keys()]) {
        child.emit('internalMessage', { cmd: 'NODE_CLUSTER', ack: seq, accepted: false }, undefined)
      }
    })
  }
}

function serversOf(key: unknown): Set<Worker> {
  const workers = serving.get(key) ?? new Set()
  serving.set(key, workers)
  return workers
}

function isInternal(message: unknown): message is Internal {
  return typeof message === 'object' && message !== null && 'cmd' in message && message.cmd === 'NODE_CLUSTER'
}

function isClosable(handle: unknown): handle is Closable {
  return typeof handle === 'object' && handle !== null && 'close' in handle && typeof handle.close === 'function'
}
