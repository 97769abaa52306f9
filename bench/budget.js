/**
 * The guard of the memory budget: one report that stops and drops holders takes time in proportion to their number.
 * Sixteen times as many equal holders may take 64 times as long, for caches are small; a quadratic choice takes 256 times.
 * Ends with "N passed, N failed".
 */
import { MemoryBudget } from '../dist/transport/memory-budget.js'

const FEW = 20_000
const MANY = 320_000
const BYTES = 1000
const MOST = 64
/** Other work of the machine passes: only the best of so many counts. */
const ATTEMPTS = 3

/**
 * Milliseconds of the report that passes the budget of so many equal holders: of processor time, since a busy machine
 * halts long reports more than short ones.
 */
function reportTime(count) {
  const budget = new MemoryBudget(BYTES * count)
  const holder = () => ({ connection: null, recount() {}, stopReading() {}, resumeReading() {}, dropHeld() {} })
  const [last] = Array.from({ length: count }, () => {
    const each = holder()
    // Below three quarters nothing has to be chosen.
    budget.report(each, 0, 0.7 * BYTES)
    return each
  })
  const started = process.cpuUsage()
  budget.report(last, 0.7 * BYTES, 0.25 * BYTES * count)
  const { user, system } = process.cpuUsage(started)
  return (user + system) / 1000
}

const best = count => Math.min(...Array.from({ length: ATTEMPTS }, () => reportTime(count)))
best(FEW)
const [few, many] = [best(FEW), best(MANY)]
const good = many <= MOST * few
console.log(
  `${good ? 'ok' : 'not ok'}: one report stops ${FEW} equal holders in ${few.toFixed(1)} ms, ${MANY} in ${many.toFixed(1)} ms: ${(many / few).toFixed(1)} times as long, at most ${MOST}`
)
console.log(good ? '1 passed, 0 failed' : '0 passed, 1 failed')
process.exitCode = good ? 0 : 1
