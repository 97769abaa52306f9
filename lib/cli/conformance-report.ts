/** What a run of `kore-ws conformance` prints and writes, and the folder for it. */
import { accessSync, constants, mkdirSync, rmdirSync } from 'node:fs'
import { formatTables, writeReports, type Results } from '../conformance/index.ts'
import { prepareReports } from '../conformance/report/files.ts'
import { UsageError, type Values } from './flags.ts'

/** As a shell has it for a program that Ctrl-C ended. */
const INTERRUPTED = 130

/**
 * Makes the folder, before a run that may take minutes and not behind it.
 *
 * @returns what takes it away again, if it was made and is empty
 * @throws UsageError where nothing can be written to it
 */
export function makeFolder({ report }: Values): () => void {
  const folder = String(report)
  return explained(folder, () => {
    const isNew = mkdirSync(folder, { recursive: true }) !== undefined
    accessSync(folder, constants.W_OK)
    return () => {
      try {
        if (isNew) rmdirSync(folder)
      } catch {
        // Something is in it by now.
      }
    }
  })
}

/**
 * The table, the index, the files; and the exit code: 1 where a case failed, 130 where the run was stopped.
 *
 * @throws UsageError where the files can't be written; all else is printed then
 */
export function report(results: Results, values: Values): void {
  const folder = String(values.report)
  const out = values.json === true ? process.stderr : process.stdout
  const reports = prepareReports(results, folder)
  if (values.json === true) process.stdout.write(`${JSON.stringify(reports.index, null, 2)}\n`)
  out.write(formatTables(results))
  if (results.failed.length > 0) process.exitCode = 1
  for (const agent of results.stopped) {
    process.stderr.write(`kore-ws: ${results.stopOf(agent)}\n`)
    process.exitCode = INTERRUPTED
  }
  const page = explained(folder, reports.write)
  for (const agent of reports.kept) out.write(`the earlier report of ${agent}, which is whole, stays\n`)
  out.write(`report: ${page}\n`)
}

/** For a client that asks for the reports: where they can't be written, its run goes on. */
export function updateReports(results: Results, { report }: Values): void {
  const folder = String(report)
  try {
    explained(folder, () => writeReports(results, folder))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`kore-ws: ${error.message}\n`)
  }
}

function explained<Value>(folder: string, act: () => Value): Value {
  try {
    return act()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new UsageError(`The reports can't be written to ${JSON.stringify(folder)}: ${code}.`)
  }
}
