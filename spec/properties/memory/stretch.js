/** A stretch of steps on servers that are idle before and after: memory is measured on the way and in the end. */
import { setImmediate as turn } from 'node:timers/promises'
import { judge, MIBI } from './bound.js'
import { mixOf, STRETCH } from './mix.js'
import { Play } from './play.js'

/** Steps between two measurements. */
const EVERY = 100
/** How often memory is looked at where it may become less by itself. */
const MOST_LOOKS = 10
/** Counted bytes beyond which connections are given up, so that a stretch takes memory that a small machine has. */
const MOST_COUNTED = 96 * MIBI
/** Milliseconds for the servers to see that their clients are gone. */
const PATIENCE = 60_000

/**
 * @param {import('./target.js').Target} target
 * @param {{ seed: number, index: number, steps?: number, baseline: number }} options `baseline`: bytes of the idle process
 * @param {(measured: import('./bound.js').Measured, complaint: string | undefined, play: Play) => boolean} onMeasured
 *   returns whether to go on
 */
export async function runStretch(target, { seed, index, steps = STRETCH, baseline }, onMeasured) {
  const play = new Play(mixOf(seed, index), target)
  play.open(seed, index)
  const measure = async () => {
    const measured = await target.measure()
    measured.real -= baseline
    return measured
  }
  for (let step = 0; step < steps; step++) {
    play.step(seed, index * STRETCH + step)
    target.flush()
    await turn()
    if ((step + 1) % EVERY !== 0) continue
    const measured = await ((step + 1) % (2 * EVERY) === 0 ? measureAtRest(measure) : measure())
    if (!onMeasured(measured, judge(measured), play)) break
    if (measured.counted > MOST_COUNTED) play.relieve()
  }
  await play.end()
  const deadline = performance.now() + PATIENCE
  let last
  do {
    target.tell({ order: 'end' })
    last = await measure()
  } while (last.sockets > 0 && performance.now() < deadline)
  // What native handles hold is free some turns behind their sockets' end.
  for (let i = 0; i < MOST_LOOKS && judge(last) !== undefined; i++) last = await measure()
  const complaint = last.sockets > 0 ? `${last.sockets} sockets are not gone` : judge(last)
  onMeasured(last, complaint, play)
}

/** When what is on its way has come: what is still held then is held for nothing that goes on. */
async function measureAtRest(measure) {
  let before = await measure()
  for (let i = 0; i < MOST_LOOKS; i++) {
    const measured = await measure()
    if (measured.counted >= before.counted) return measured
    before = measured
  }
  return before
}
