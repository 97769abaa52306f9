/** The flags of `kore-ws conformance`, apart from what it runs: the cases are loaded only where they are wanted. */
import type { Flags, Operand } from './flags.ts'
import { LISTEN_FLAGS } from './listen.ts'

export const CONFORMANCE_OPERAND: Operand = { name: 'url', help: 'the server to test: ws://host:port/path, or wss:' }

export const CONFORMANCE_FLAGS = {
  serve: { help: 'be the server, and test the clients that come' },
  ...LISTEN_FLAGS,
  port: { ...LISTEN_FLAGS.port, help: 'with --serve: the port; 0 takes any free one', fallback: 9001 },
  host: { ...LISTEN_FLAGS.host, help: 'with --serve: the address to listen on' },
  cases: { value: 'LIST', help: 'the cases to run: 6.*,7.1.1 or autobahn or beyond', fallback: '*' },
  exclude: { value: 'LIST', help: 'cases to leave out' },
  quick: { help: '50 messages, not 1,000, in each of the compressed cases' },
  jobs: { value: 'N', help: 'the most cases side by side', range: [1, 8], fallback: 8 },
  agent: { value: 'NAME', help: "the server's name in the reports (default: its host and port)" },
  report: { value: 'DIR', help: 'where the reports go', fallback: 'conformance-report' },
  json: { help: 'prints the index as JSON, and the table to standard error' },
} as const satisfies Flags
