/** The results of one or several agents, in the order of the cases. */
import { createHash } from 'node:crypto'
import { ALL_CASES } from './select.ts'
import { isFailed, type CaseResult } from './result.ts'

/** Autobahn's index.json: agent, case, verdict. */
export type Index = Readonly<Record<string, Readonly<Record<string, IndexEntry>>>>

export interface IndexEntry {
  readonly behavior: string
  readonly behaviorClose: string
  /** Milliseconds. */
  readonly duration: number
  readonly remoteCloseCode: number | null
  /** The file with the details, beside index.json. */
  readonly reportfile: string
}

/** Hexadecimal digits that tell agents apart whose names are written alike. */
const DIGITS = 8
const PLACES = new Map(ALL_CASES.map(({ id }, index) => [id, index]))

export class Results {
  readonly #agents = new Map<string, Map<string, CaseResult>>()
  /** What the names of an agent's files begin with; no two have the same. */
  readonly #stems = new Map<string, string>()
  /** How many cases there were to be in runs that ended before. */
  readonly #planned = new Map<string, number>()
  readonly #waiting = new Map<string, Set<(result: CaseResult) => void>>()

  /**
   * Takes the place of an earlier result of the same agent and case.
   *
   * @param stem what the names of the agent's files begin with, where it has some already
   */
  add(result: CaseResult, stem?: string): void {
    if (!this.#stems.has(result.agent)) this.#stems.set(result.agent, stem ?? this.#freeStem(result.agent))
    const cases = this.#agents.get(result.agent) ?? new Map<string, CaseResult>()
    this.#agents.set(result.agent, cases.set(result.id, result))
    const key = keyOf(result.agent, result.id)
    for (const tell of this.#waiting.get(key) ?? []) tell(result)
    this.#waiting.delete(key)
  }

  get agents(): string[] {
    return [...this.#agents.keys()]
  }

  /** Notes that an agent's run ended before all of its cases were done. */
  stop(agent: string, planned: number): void {
    this.#planned.set(agent, planned)
  }

  /** The agents whose run ended early, also those without any result. */
  get stopped(): string[] {
    return [...this.#planned.keys()]
  }

  /** How many cases a run that ended early was to have. */
  plannedOf(agent: string): number | undefined {
    return this.#planned.get(agent)
  }

  /** How far a run came that ended early, in words. */
  stopOf(agent: string): string | undefined {
    const planned = this.#planned.get(agent)
    return planned === undefined ? undefined : `stopped after ${this.list(agent).length} of ${planned} cases`
  }

  /** The results of an agent, or of all, in the order of the cases. */
  list(agent?: string): CaseResult[] {
    const agents = agent === undefined ? this.agents : [agent]
    const results = agents.flatMap(name => [...(this.#agents.get(name)?.values() ?? [])])
    return results.sort((one, other) => placeOf(one) - placeOf(other))
  }

  get(agent: string, id: string): CaseResult | undefined {
    return this.#agents.get(agent)?.get(id)
  }

  /** Those that went wrong. */
  get failed(): CaseResult[] {
    return this.list().filter(isFailed)
  }

  /** Calls back with a result, now or when it is there; returns what stops the waiting. */
  whenDone(agent: string, id: string, tell: (result: CaseResult) => void): () => void {
    const result = this.get(agent, id)
    if (result !== undefined) {
      tell(result)
      return () => {}
    }
    const key = keyOf(agent, id)
    const waiting = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, waiting.add(tell))
    return () => void waiting.delete(tell)
  }

  /** In the shape of Autobahn's index.json. */
  get index(): Index {
    return Object.fromEntries(
      this.agents.map(agent => [
        agent,
        Object.fromEntries(this.list(agent).map(result => [result.id, this.#entryOf(result)])),
      ])
    )
  }

  /** The name of a case's file: as Autobahn has it, but for an agent whose name would be that of another one. */
  fileOf({ agent, id }: Pick<CaseResult, 'agent' | 'id'>): string {
    return `${this.#stems.get(agent)}${endOf(id)}`
  }

  #entryOf(result: CaseResult): IndexEntry {
    const { behavior, behaviorClose, duration, remoteCloseCode } = result
    return { behavior, behaviorClose, duration, remoteCloseCode, reportfile: this.fileOf(result) }
  }

  #freeStem(agent: string): string {
    const name = agent
      .toLowerCase()
      .replace(/[^a-z0-9]/g, ' ')
      .trim()
      .replaceAll(' ', '_')
    if (name !== '' && ![...this.#stems.values()].includes(name)) return name
    const digest = createHash('sha256').update(agent).digest('hex')
    return `${name || 'agent'}_${digest.slice(0, DIGITS)}`
  }
}

/** What the name of a case's file begins with; undefined for one that is not named so. */
export function stemOf(file: string, id: string): string | undefined {
  return file.endsWith(endOf(id)) ? file.slice(0, -endOf(id).length) : undefined
}

function endOf(id: string): string {
  return `_case_${id.replaceAll('.', '_')}.json`
}

function placeOf({ id }: CaseResult): number {
  return PLACES.get(id) ?? Infinity
}

function keyOf(agent: string, id: string): string {
  return `${id} ${agent}`
}
