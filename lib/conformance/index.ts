/// <reference types="node" preserve="true" />
/** The entry point `kore-ws/conformance`: the cases of Autobahn, and ours, for servers and clients in any language. */
export { runAgainstServer, type RunOptions } from './against-server.ts'
export type { Behavior } from './conduct.ts'
export type { Progress } from './progress.ts'
export { writeReports } from './report/files.ts'
export { formatPage } from './report/page.ts'
export { formatTables } from './report/table.ts'
export { isFailed, type CaseResult, type CloseBehavior } from './result.ts'
export { Results, type Index, type IndexEntry } from './results.ts'
export type { Selection } from './select.ts'
export { serveCases, type CaseServer, type ServeOptions } from './serve-cases.ts'
export { HandshakeFailure } from './wire/http.ts'
export type { LogLine } from './wire-log.ts'
