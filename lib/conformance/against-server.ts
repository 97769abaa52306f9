/** Runs the cases against a server: side by side where that can't change a verdict, one at a time where it might. */
import type { ConnectionOptions } from 'node:tls'
import { MisuseError, show } from '../protocol/misuse-error.ts'
import type { Case } from './case.ts'
import { groupOf } from './cases/index.ts'
import { progressOf, type Progress } from './progress.ts'
import { gradeFailedHandshake, isFailed, type CaseResult } from './result.ts'
import { Results } from './results.ts'
import { probeServer } from './run-probe.ts'
import { runCase, wishesOf, type RanCase } from './run-case.ts'
import { selectCases, type Selection } from './select.ts'
import { openClient } from './wire/client-handshake.ts'
import { HandshakeFailure } from './wire/http.ts'

export interface RunOptions extends Selection {
  /** The server's name in the reports. Default: host and port. */
  readonly agent?: string | undefined
  /** 50 messages in each of the compressed cases in place of 1,000. */
  readonly quick?: boolean | undefined
  /** The most cases side by side. Default 8; the heavier ones are fewer. 1: one at a time, as Autobahn does it. */
  readonly jobs?: number | undefined
  /** For wss: what `tls.connect` takes, such as `ca`. */
  readonly tls?: ConnectionOptions | undefined
  /** Ends the run early, after the cases under way; the results say so then. */
  readonly signal?: AbortSignal | undefined
  /** After every case. */
  readonly progress?: ((progress: Progress) => void) | undefined
}

/** The most cases of a kind side by side: so few that they do not get into each other's way. */
const JOBS: Readonly<Record<Case['kind'], number>> = { scripted: 8, probe: 8, echo: 2, compressed: 4 }
const MAX_JOBS = 8
/** So many late cases that come out the same on their own show that it is not for want of time. */
const CONFIRMED = 2

/**
 * @throws MisuseError for a wrong URL or option
 * @throws HandshakeFailure where there is no server at all
 */
export async function runAgainstServer(url: string | URL, options: RunOptions = {}): Promise<Results> {
  const run = new Run(checkUrl(url), options)
  await run.start()
  return run.results
}

class Run {
  readonly results = new Results()
  readonly #url: URL
  readonly #options: RunOptions
  readonly #agent: string
  readonly #cases: Case[]
  readonly #started = performance.now()
  /** Cases that failed for want of time, maybe. */
  readonly #late: { readonly testCase: Case; readonly verdict: string }[] = []
  #done = 0
  #isCut = false

  constructor(url: URL, options: RunOptions) {
    const { jobs, agent } = options
    if (jobs !== undefined && !(Number.isInteger(jobs) && jobs >= 1 && jobs <= MAX_JOBS)) {
      throw new MisuseError(
        'invalid-option',
        `jobs must be a whole number from 1 to ${MAX_JOBS}, and not ${show(jobs)}`
      )
    }
    this.#url = url
    this.#options = options
    this.#agent = agent ?? url.host
    this.#cases = selectCases(options, 'server')
  }

  async start(): Promise<void> {
    await this.#probe()
    for (const kind of ['scripted', 'probe', 'echo', 'compressed'] as const) await this.#runAll(kind)
    await this.#repeatLate()
    if (this.#isCut) this.results.stop(this.#agent, this.#cases.length)
  }

  /** One handshake: where there is no server, that is no verdict on it. */
  async #probe(): Promise<void> {
    const { socket } = await openClient(this.#url, [], this.#options.tls ?? {})
    socket.destroy()
  }

  async #runAll(kind: Case['kind']): Promise<void> {
    const cases = this.#cases.filter(testCase => testCase.kind === kind)
    const jobs = Math.min(JOBS[kind], this.#options.jobs ?? MAX_JOBS)
    const next = cases.values()
    await Promise.all(
      Array.from({ length: jobs }, async () => {
        // Each job takes the next case from the same list.
        for (const testCase of next) {
          if (this.#isOver()) return
          const { result, late } = await this.#run(testCase)
          if (late && jobs > 1 && isFailed(result)) this.#late.push({ testCase, verdict: verdictOf(result) })
          this.#done++
          this.#add(result)
        }
      })
    )
  }

  /**
   * What was too late beside others runs once more on its own, and then that counts; but not all of it, where the first
   * ones of the same group with the same verdict keep it. Of another group that says nothing: it fails for reasons of its
   * own.
   */
  async #repeatLate(): Promise<void> {
    const kept = new Map<string, number>()
    for (const { testCase, verdict } of this.#late) {
      const kind = `${groupOf(testCase.id)} ${verdict}`
      const times = kept.get(kind) ?? 0
      if (times === CONFIRMED) continue
      if (this.#isOver()) return
      const { result } = await this.#run(testCase)
      kept.set(kind, verdictOf(result) === verdict ? times + 1 : -Infinity)
      this.#add(result)
    }
  }

  /** Asked where something is left to be done. */
  #isOver(): boolean {
    this.#isCut ||= this.#options.signal?.aborted === true
    return this.#isCut
  }

  #add(result: CaseResult): void {
    this.results.add(result)
    const failed = this.results.failed.length
    this.#options.progress?.(progressOf(result, this.#done, this.#cases.length, failed, this.#started))
  }

  async #run(testCase: Case): Promise<RanCase> {
    if (testCase.kind === 'probe') return await probeServer(this.#url, this.#options.tls ?? {}, testCase, this.#agent)
    const started = new Date()
    const common = {
      agent: this.#agent,
      isServer: false,
      quick: this.#options.quick === true && testCase.kind === 'compressed',
    }
    try {
      const { socket, agreement, request, response } = await openClient(
        this.#url,
        wishesOf(testCase),
        this.#options.tls ?? {}
      )
      return await runCase({
        ...common,
        testCase,
        socket,
        agreement,
        rest: response.rest,
        request,
        response: response.text,
      })
    } catch (error) {
      if (!(error instanceof HandshakeFailure)) throw error
      const evidence = { ...common, started, duration: 0, request: '', response: error.head, log: [] }
      return { result: gradeFailedHandshake(testCase, error.message, error.late, evidence), late: true }
    }
  }
}

function verdictOf({ behavior, behaviorClose }: CaseResult): string {
  return `${behavior} ${behaviorClose}`
}

function checkUrl(url: string | URL): URL {
  const parsed = URL.canParse(String(url)) ? new URL(url) : undefined
  if (parsed !== undefined && /^wss?:$/.test(parsed.protocol)) return parsed
  throw new MisuseError('invalid-argument', `url must begin with ws:// or wss://, and not be ${show(String(url))}`)
}
