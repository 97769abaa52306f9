/** The command line. */
import { parseArgs } from 'node:util'

/** A command line that can't be carried out: its message is one sentence. */
export class UsageError extends Error {}

export const HELP = `npm run bench -- [flags]

  --only NAMES      workloads or groups of them, separated by commas (echo, deflate,
                    fanout, burst, handshakes, idle, client, codec)
  --against NAMES   servers beside kore-ws, separated by commas; default: all that are there
  --quick           short rounds, and few: whether all works, not how fast it is
  --rounds N        rounds of each server (default 3; quick: 2)
  --seconds S       seconds measured in each round (default 1; quick: 0.3)
  --node NODE       the Node.js under test, for all servers that run on it: a path, or a version such as 24
  --json FILE       writes all figures
  --markdown FILE   writes the tables; in a file that has them already, between its markers, replaces them
  --svg FILE        writes the picture
  --compare FILE    shows what changed against a JSON file of before
  --list            lists workloads and servers, and what is missing
  --help
`

const OPTIONS = /** @type {const} */ ({
  only: { type: 'string' },
  against: { type: 'string' },
  quick: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  node: { type: 'string' },
  json: { type: 'string' },
  markdown: { type: 'string' },
  svg: { type: 'string' },
  compare: { type: 'string' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
})

const FULL = { rounds: 3, seconds: 1, warmUp: 1 }
const QUICK = { rounds: 2, seconds: 0.3, warmUp: 0.3 }
const MOST_ROUNDS = 100
const MOST_SECONDS = 600

/** @param {string[]} parameters @throws {UsageError} */
export function readArguments(parameters) {
  const given = parse(parameters)
  const defaults = given.quick ? QUICK : FULL
  return {
    ...given,
    only: names('only', given.only),
    against: names('against', given.against),
    rounds: amount('rounds', given.rounds, defaults.rounds, 1, MOST_ROUNDS, true),
    seconds: amount('seconds', given.seconds, defaults.seconds, 0.05, MOST_SECONDS, false),
    warmUp: defaults.warmUp,
  }
}

function parse(args) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: false }).values
  } catch (error) {
    const [sentence] = error.message.split('. ')
    throw new UsageError(sentence.endsWith('.') ? sentence : `${sentence}.`)
  }
}

function names(flag, value) {
  if (value === undefined) return undefined
  const list = value.split(',').map(name => name.trim())
  if (list.includes('')) throw new UsageError(`--${flag} takes names separated by commas, and not ${JSON.stringify(value)}.`)
  return list
}

function amount(flag, value, fallback, from, to, whole) {
  if (value === undefined) return fallback
  const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : NaN
  if (number >= from && number <= to && (!whole || Number.isInteger(number))) return number
  throw new UsageError(`--${flag} takes a ${whole ? 'whole ' : ''}number from ${from} to ${to}, and not ${JSON.stringify(value)}.`)
}
