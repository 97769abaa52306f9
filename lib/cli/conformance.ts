/** `kore-ws conformance`: the cases of Autobahn, and ours, against any server, or, as a server, with any client. */
import { HandshakeFailure, runAgainstServer, serveCases } from '../conformance/index.ts'
import { MisuseError } from '../protocol/misuse-error.ts'
import { makeFolder, report, updateReports } from './conformance-report.ts'
import { UsageError, type Values } from './flags.ts'
import { explainListening } from './listen.ts'
import { ProgressLine } from './progress-line.ts'

export async function conformance(values: Values): Promise<void> {
  if ((values.serve === true) === (values.url !== undefined)) {
    throw new UsageError('kore-ws conformance needs either the URL of a server or --serve.')
  }
  const removeFolder = makeFolder(values)
  try {
    if (values.serve === true) await testClients(values)
    else await testServer(values)
  } catch (error) {
    removeFolder()
    if (error instanceof MisuseError) throw new UsageError(`${error.message}.`)
    if (error instanceof HandshakeFailure)
      throw new UsageError(`There is no WebSocket server at ${values.url}: ${error.message}.`)
    throw error
  }
}

async function testServer(values: Values): Promise<void> {
  const abort = new AbortController()
  process.once('SIGINT', () => abort.abort())
  const line = new ProgressLine(process.stderr)
  const results = await runAgainstServer(String(values.url), {
    ...selection(values),
    agent: typeof values.agent === 'string' ? values.agent : undefined,
    jobs: Number(values.jobs),
    signal: abort.signal,
    progress: progress => line.show(progress),
  })
  line.clear()
  report(results, values)
}

/** Serves until a client asks for the end, or Ctrl-C. */
async function testClients(values: Values): Promise<void> {
  const [port, host] = [Number(values.port), String(values.host)]
  const line = new ProgressLine(process.stderr)
  const server = await serveCases({
    ...selection(values),
    port,
    host,
    progress: progress => line.show(progress),
    updateReports: () => updateReports(server.results, values),
  }).catch((error: unknown) => {
    throw error instanceof MisuseError
      ? error
      : new UsageError(explainListening(error as NodeJS.ErrnoException, port, host))
  })
  const out = values.json === true ? process.stderr : process.stdout
  // Before the announcement: who reads it may send a signal at once.
  const ended = new Promise(resolve => process.once('SIGINT', resolve).once('SIGTERM', resolve))
  out.write(
    `kore-ws tests clients on ${server.url}: /getCaseCount, /runCase?case=1&agent=NAME, /updateReports?agent=NAME\n` +
      '  Ctrl-C ends it\n'
  )
  await Promise.race([server.done, ended])
  await server.close()
  line.clear()
  report(server.results, values)
}

function selection(values: Values): { cases: string[]; exclude: string[]; quick: boolean } {
  const list = (value: unknown): string[] => (typeof value === 'string' ? value.split(',') : [])
  return { cases: list(values.cases), exclude: list(values.exclude), quick: values.quick === true }
}
