/** `/metrics` of `kore-ws serve`: the figures of all routes of all workers, whichever of them is asked. */
import type { IncomingMessage, RequestListener } from 'node:http'
import type { Bus } from '../broadcast/bus.ts'
import { pathOf } from '../handshake/request.ts'
import type { Metrics } from '../metrics.ts'
import { CONTENT_TYPE, formatMetrics, type RouteMetrics } from './prometheus.ts'

const PATH = '/metrics'
const CHANNEL = 'metrics'
/** Milliseconds for the other workers; who is busy for longer is left out. */
const PATIENCE = 500

/** What travels between workers, as JSON: a question, or the answer to one. */
interface Note {
  readonly question: string
  readonly answer?: readonly RouteMetrics[]
}

/** A question that this worker has asked. */
interface Poll {
  readonly question: string
  readonly routes: RouteMetrics[]
  missing: number
  end(): void
}

export class MetricsPage {
  readonly #bus: Bus
  readonly #worker: number
  readonly #workers: number
  readonly #routes = new Map<string, () => Metrics>()
  readonly #unsubscribe: () => void
  #questions = 0
  #poll: Poll | undefined
  /** Those who ask meanwhile get the same answer. */
  #collecting: Promise<readonly RouteMetrics[]> | undefined

  /**
   * @param worker this worker's number, from 1
   * @param workers how many there are
   */
  constructor(bus: Bus, worker: number, workers: number) {
    this.#bus = bus
    this.#worker = worker
    this.#workers = workers
    this.#unsubscribe = bus.subscribe(CHANNEL, bytes => {
      const note = readNote(bytes)
      if (note !== undefined) this.#hear(note)
    })
  }

  /** Shows the figures of a route. */
  add(route: string, take: () => Metrics): void {
    this.#routes.set(route, take)
  }

  /** Answers the requests for the page; `otherwise` gets the others. */
  listener(otherwise: RequestListener): RequestListener {
    return (request, response) => {
      if (!isForMetrics(request)) return otherwise(request, response)
      void this.#collect().then(routes => {
        const text = Buffer.from(formatMetrics(routes))
        response.writeHead(200, { 'content-type': CONTENT_TYPE, 'content-length': text.length, 'cache-control': 'no-store' })
        response.end(request.method === 'HEAD' ? undefined : text)
      })
    }
  }

  /** Answers the other workers no more. */
  close(): void {
    this.#unsubscribe()
    this.#poll?.end()
  }

  #own(): RouteMetrics[] {
    return [...this.#routes].map(([route, take]) => ({ route, worker: this.#worker, metrics: take() }))
  }

  #collect(): Promise<readonly RouteMetrics[]> {
    if (this.#workers === 1) return Promise.resolve(this.#own())
    this.#collecting ??= this.#ask().finally(() => {
      this.#collecting = undefined
    })
    return this.#collecting
  }

  #ask(): Promise<readonly RouteMetrics[]> {
    return new Promise(resolve => {
      const question = `${this.#worker} ${++this.#questions}`
      const routes = this.#own()
      const end = (): void => {
        clearTimeout(timer)
        this.#poll = undefined
        resolve(routes.sort((a, b) => a.worker - b.worker))
      }
      const timer = setTimeout(end, PATIENCE)
      this.#poll = { question, routes, missing: this.#workers - 1, end }
      this.#tell({ question })
    })
  }

  #tell(note: Note): void {
    this.#bus.publish(CHANNEL, Buffer.from(JSON.stringify(note)))
  }

  #hear({ question, answer }: Note): void {
    if (answer === undefined) {
      this.#tell({ question, answer: this.#own() })
      return
    }
    const poll = this.#poll
    if (poll === undefined || poll.question !== question) return
    poll.routes.push(...answer)
    poll.missing--
    if (poll.missing === 0) poll.end()
  }
}

/** Undefined for what another worker of this program would not say. */
function readNote(bytes: Buffer): Note | undefined {
  try {
    const note = Object(JSON.parse(bytes.toString())) as Partial<Note>
    const isAnswer = note.answer === undefined || Array.isArray(note.answer)
    return typeof note.question === 'string' && isAnswer ? (note as Note) : undefined
  } catch {
    return undefined
  }
}

function isForMetrics({ method, url }: IncomingMessage): boolean {
  return (method === 'GET' || method === 'HEAD') && pathOf(url) === PATH
}
