/** `kore-ws serve`: the page with its chat and echo meter, on one worker or several. */
import cluster from 'node:cluster'
import { clusterBus } from '../broadcast/cluster-bus.ts'
import { startWorkers } from '../broadcast/workers.ts'
import { CloseCode } from '../protocol/close-code.ts'
import { keepNewcomers } from '../transport/http1.ts'
import { COMPRESSION_FLAGS, compressionOf } from './compression-flags.ts'
import type { Flags, Values } from './flags.ts'
import { UsageError } from './flags.ts'
import { createBoundedServer, listen, LISTEN_FLAGS, MAX_MESSAGE_FLAG, onHangup, onSignal, urlOf } from './listen.ts'
import { MetricsPage } from './metrics-page.ts'
import { pageListener } from './page.ts'
import { attachRoutes } from './routes.ts'

const MAX_WORKERS = 1024

export const SERVE_FLAGS = {
  ...LISTEN_FLAGS,
  workers: { value: 'N', help: 'worker processes that share the port', range: [1, MAX_WORKERS], fallback: 1 },
  ...COMPRESSION_FLAGS,
  compression: { ...COMPRESSION_FLAGS.compression, help: `${COMPRESSION_FLAGS.compression.help}; /chat is Kore's and has none` },
  'max-message': { ...MAX_MESSAGE_FLAG, help: 'the most bytes of one message (default: /echo 16777216, /chat 16384)' },
} as const satisfies Flags

/** What a worker tells its primary when it can't do its work. */
interface Trouble {
  readonly 'kore-ws': 'trouble'
  readonly sentence: string
}

export async function serve(values: Values): Promise<void> {
  const pool = startWorkers(Number(values.workers), () => void serveAsWorker(values))
  if (pool === undefined) return
  onSignal(() => pool.close())
  onHangup(() => void pool.reload().catch((error: Error) => complain(`reload: ${error.message}`)))
  let announced = false
  cluster.on('listening', (_, { address, port, addressType }) => {
    if (announced) return
    announced = true
    announce(urlOf({ address: address ?? String(values.host), port, family: addressType === 6 ? 'IPv6' : 'IPv4' }))
  })
  const trouble = await new Promise<string>(resolve => {
    cluster.on('message', (_, message: unknown) => {
      if (!isTrouble(message)) return
      if (announced) complain(message.sentence)
      else resolve(message.sentence)
    })
  })
  await pool.close()
  throw new UsageError(trouble)
}

/** Serves until SIGTERM, which the primary sends; other signals that reach the whole group are the primary's. */
async function serveHere(values: Values): Promise<void> {
  const metrics = new MetricsPage(clusterBus(), cluster.worker?.id ?? 1, Number(values.workers))
  const server = createBoundedServer(metrics.listener(pageListener()))
  keepNewcomers(server)
  const closeAll = attachRoutes(server, numberOf(values['max-message']), compressionOf(values), metrics)
  for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => {})
  let ending = false
  process.on('SIGTERM', () => {
    if (ending) return
    ending = true
    server.close()
    server.closeAllConnections()
    const replaced = cluster.worker?.exitedAfterDisconnect === true
    void closeAll(replaced ? CloseCode.serviceRestart : CloseCode.goingAway).then(() => process.exit(0))
  })
  await listen(server, Number(values.port), String(values.host))
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

async function serveAsWorker(values: Values): Promise<void> {
  try {
    await serveHere(values)
  } catch (error) {
    const trouble: Trouble = { 'kore-ws': 'trouble', sentence: (error as Error).message }
    process.send?.(trouble, undefined, undefined, () => process.exit(1))
  }
}

function isTrouble(message: unknown): message is Trouble {
  return typeof message === 'object' && message !== null && 'kore-ws' in message && message['kore-ws'] === 'trouble'
}

function complain(sentence: string): void {
  process.stderr.write(`kore-ws: ${sentence}\n`)
}

function announce(url: string): void {
  process.stdout.write(`kore-ws serves ${url}\n  a live chat and an echo meter; WebSocket routes /echo and /chat; Ctrl-C ends it\n`)
}
