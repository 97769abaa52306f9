/** The reports as files: index.json and a file per case as Autobahn has them, and a page. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { CaseResult } from '../result.ts'
import { Results, stemOf, type IndexEntry } from '../results.ts'
import { formatPage } from './page.ts'

/**
 * Writes index.json, one JSON file per case, and index.html. Agents that have reports in the folder already stay, and
 * are shown side by side with these; an agent of the same name is replaced.
 *
 * @returns the path of index.html
 */
export function writeReports(results: Results, folder: string): string {
  mkdirSync(folder, { recursive: true })
  const all = readOthers(folder, results.agents)
  for (const result of results.agents.flatMap(agent => results.list(agent))) {
    all.add(result)
    writeJson(join(folder, all.fileOf(result)), result)
  }
  writeJson(join(folder, 'index.json'), all.index)
  const page = join(folder, 'index.html')
  writeFileSync(page, formatPage(all))
  return page
}

/** The results in a folder but for those of `agents`; what can't be read is left out. */
function readOthers(folder: string, agents: readonly string[]): Results {
  const results = new Results()
  for (const [agent, cases] of entriesOf(readJson(join(folder, 'index.json')))) {
    if (agents.includes(agent)) continue
    for (const [id, entry] of entriesOf(cases)) {
      const { reportfile } = Object(entry) as Partial<IndexEntry>
      // Not out of the folder, whatever the index says.
      const file = basename(String(reportfile))
      const [result, stem] = [readJson(join(folder, file)), stemOf(file, id)]
      if (isResult(result) && result.agent === agent && result.id === id && stem !== undefined) results.add(result, stem)
    }
  }
  return results
}

function entriesOf(value: unknown): [string, unknown][] {
  return Object.entries(Object(value) as object)
}

function isResult(value: unknown): value is CaseResult {
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
