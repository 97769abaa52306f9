/** The reports as files: index.json and a file per case as Autobahn has them, and a page. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { CaseResult } from '../result.ts'
import { Results, stemOf, type Index, type IndexEntry } from '../results.ts'
import { formatPage } from './page.ts'

/** What is written of a run, settled before it is. */
export interface Reports {
  /** The run's own part of index.json. */
  readonly index: Index
  /** The agents whose run was stopped while the folder has a whole report of theirs: that one stays. */
  readonly kept: readonly string[]
  /** @returns the path of index.html */
  write(): string
}

export function prepareReports(results: Results, folder: string): Reports {
  const earlier = readFolder(folder)
  const isWhole = (agent: string): boolean => earlier.agents.includes(agent) && earlier.stopOf(agent) === undefined
  const kept = results.agents.filter(agent => results.stopOf(agent) !== undefined && isWhole(agent))
  const written = results.agents.filter(agent => !kept.includes(agent))
  const all = new Results()
  for (const agent of earlier.agents) if (!written.includes(agent)) copyAgent(agent, earlier, all, true)
  for (const agent of written) copyAgent(agent, results, all, false)
  const index = { ...results.index, ...Object.fromEntries(written.map(agent => [agent, all.index[agent]])) }
  return { index, kept, write: () => writeAll(all, written, folder) }
}

/**
 * Writes index.json, one JSON file per case, and index.html. Agents that have reports in the folder already stay, and
 * are shown side by side with these; an agent of the same name is replaced, but not a whole run by one that was stopped.
 *
 * @returns the path of index.html
 */
export function writeReports(results: Results, folder: string): string {
  return prepareReports(results, folder).write()
}

function writeAll(all: Results, agents: readonly string[], folder: string): string {
  mkdirSync(folder, { recursive: true })
  for (const agent of agents) {
    for (const result of all.list(agent)) {
      writeJson(join(folder, all.fileOf(result)), { ...result, plannedCases: all.plannedOf(agent) })
    }
  }
  writeJson(join(folder, 'index.json'), all.index)
  const page = join(folder, 'index.html')
  writeFileSync(page, formatPage(all))
  return page
}

/** @param isNamed the files of the agent are there, and keep their names */
function copyAgent(agent: string, from: Results, to: Results, isNamed: boolean): void {
  for (const result of from.list(agent)) {
    to.add(result, isNamed ? stemOf(from.fileOf(result), result.id) : undefined)
  }
  const planned = from.plannedOf(agent)
  if (planned !== undefined) to.stop(agent, planned)
}

/** The results in a folder; what can't be read is left out. */
function readFolder(folder: string): Results {
  const results = new Results()
  for (const [agent, cases] of entriesOf(readJson(join(folder, 'index.json')))) {
    for (const [id, entry] of entriesOf(cases)) {
      const { reportfile } = Object(entry) as Partial<IndexEntry>
      // Not out of the folder, whatever the index says.
      const file = basename(String(reportfile))
      const [result, stem] = [readJson(join(folder, file)), stemOf(file, id)]
      if (!isResult(result) || result.agent !== agent || result.id !== id || stem === undefined) continue
      results.add(result, stem)
      if (typeof result.plannedCases === 'number') results.stop(agent, result.plannedCases)
    }
  }
  return results
}

function entriesOf(value: unknown): [string, unknown][] {
  return Object.entries(Object(value) as object)
}

/** In the file of a case from a run that was stopped there is also how many cases it was to have. */
function isResult(value: unknown): value is CaseResult & { readonly plannedCases?: unknown } {
  return typeof value === 'object' && value !== null && 'agent' in value && 'id' in value && 'quick' in value && 'wirelog' in value
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`)
}
