#!/usr/bin/env node
/** The command `kore-ws`: finds the command that is meant and runs it. */
import { readFileSync } from 'node:fs'
import { CONFORMANCE_FLAGS, CONFORMANCE_OPERAND } from './conformance-flags.ts'
import { echo, ECHO_FLAGS } from './echo.ts'
import { describeFlags, HELP, readFlags, UsageError, type Flags, type Operand, type Values } from './flags.ts'
import { serve, SERVE_FLAGS } from './serve.ts'

interface Command {
  readonly help: string
  readonly flags: Flags
  readonly operand?: Operand
  run(values: Values): Promise<void>
}

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: { help: 'serves a page with a live chat and an echo meter', flags: SERVE_FLAGS, run: serve },
  echo: { help: 'sends every message back, on every path', flags: ECHO_FLAGS, run: echo },
  conformance: {
    help: 'runs the Autobahn-numbered cases against a server, or with clients',
    flags: CONFORMANCE_FLAGS,
    operand: CONFORMANCE_OPERAND,
    // What a server does not need makes its heap larger: at 16 KiB it would echo a third less (Node 20).
    run: async values => (await import('./conformance.ts')).conformance(values),
  },
}

/** Exit code for a command line that can't be carried out. */
const USAGE = 2

async function main([name, ...parameters]: readonly string[]): Promise<void> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(help())
  } else if (name === '--version' || name === '-v') {
    process.stdout.write(`${version()}\n`)
  } else {
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (command === undefined) throw new UsageError(`There is no command ${JSON.stringify(name)}; kore-ws --help lists them.`)
    const values = readFlags(command.flags, parameters, command.operand)
    if (values === HELP) process.stdout.write(`kore-ws ${name}: ${command.help}\n\n${describeFlags(command.flags, command.operand)}`)
    else await command.run(values)
  }
}

function help(): string {
  const width = Math.max(...Object.keys(COMMANDS).map(name => name.length)) + 2
  const rows = Object.entries(COMMANDS).map(([name, { help: sentence }]) => `  ${name.padEnd(width)}${sentence}\n`)
  return `kore-ws ${version()}: WebSockets for Node.js\n\n${rows.join('')}\nkore-ws COMMAND --help lists a command's flags.\n`
}

function version(): string {
  const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return String((JSON.parse(file) as { version: unknown }).version)
}

main(process.argv.slice(2)).catch((error: unknown) => {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`kore-ws: ${error.message}\n`)
  process.exitCode = USAGE
  process.exit()
})
