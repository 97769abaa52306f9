// @ts-check
/**
 * Real Kore: the same conversations with it and with `kore-ws/kore`. Where the two differ, kore/differences.json says
 * how, and names the row of docs/kore.md that tells the user; everything else has to be the same.
 */
import assert from 'node:assert/strict'
import { LANES } from './kore/groups.js'
import { readDifferences, readRows, wrongRow } from './kore/rows.js'
import { buildKore, startServer } from './kore/servers.js'
import { Talk } from './kore/talk.js'

/** @typedef {import('./report.js').Report} Report */
/** @typedef {import('./kore/servers.js').Side} Side */
/** @typedef {import('./kore/groups.js').Group} Group */
/** @typedef {import('./kore/handshakes.js').Conversation} Conversation */
/** @typedef {{ record: string[] } | { error: unknown }} Outcome */

const NAMES = { kore: 'Kore', ours: 'kore-ws/kore' }

/** @param {Report} report */
export async function run(report) {
  const built = buildKore()
  if ('missing' in built) return report.skip('kore', built.missing)
  const title = `kore ${built.version}`

  const differences = readDifferences()
  const rows = readRows()
  const groups = LANES.flat()
  const names = groups.flatMap(({ conversations }) => conversations.map(({ name }) => name))
  await report.check(`${title}: no two conversations have the same name`, () => {
    assert.equal(new Set(names).size, names.length)
  })
  await report.check(`${title}: each known difference is of a conversation that there is`, () => {
    assert.deepEqual(Object.keys(differences).filter(name => !names.includes(name)), [])
  })

  /** @type {Map<string, Record<Side, Outcome>>} */
  const outcomes = new Map()
  const runLane = async (/** @type {Group[]} */ lane, /** @type {number} */ number) => {
    for (const [i, group] of lane.entries()) {
      const sides = /** @type {const} */ (['kore', 'ours'])
      const [kore, ours] = await Promise.all(sides.map(side => hold(report, title, side, group, `${number}${i}`)))
      for (const { name } of group.conversations) {
        const missing = { error: new Error('the server did not get so far') }
        outcomes.set(name, { kore: kore.get(name) ?? missing, ours: ours.get(name) ?? missing })
      }
    }
  }
  await Promise.all(LANES.map(runLane))

  for (const [name, { kore, ours }] of outcomes) {
    const known = differences[name]
    const expected = known === undefined ? 'the same' : 'differs as docs/kore.md says'
    await report.check(`${title}, ${name}: ${expected}`, () => {
      const actual = { kore: recordOf('kore', kore), ours: recordOf('ours', ours) }
      if (known === undefined) assert.deepEqual(actual.ours, actual.kore)
      else {
        assert.equal(wrongRow(known, rows), undefined)
        assert.notDeepEqual(actual.ours, actual.kore, 'there is no difference any more')
        assert.deepEqual(actual, { kore: known.kore, ours: known.ours })
      }
    })
  }
}

/**
 * Has all conversations of a group with one side.
 *
 * @param {Report} report
 * @param {string} title
 * @param {Side} side
 * @param {Group} group
 * @param {string} prefix
 * @returns {Promise<Map<string, Outcome>>}
 */
async function hold(report, title, side, { settings, conversations, together = false }, prefix) {
  /** @type {Map<string, Outcome>} */
  const outcomes = new Map()
  const about = `${title}, ${NAMES[side]} with ${JSON.stringify(settings)} (${conversations[0].name} …)`
  try {
    const server = await startServer(side, settings)
    /** @type {[string, number][]} */
    const written = []
    try {
      const have = async (/** @type {Conversation} */ { name, talk: body }, /** @type {number} */ i) => {
        const talk = new Talk(server, `${prefix}-${i}`)
        outcomes.set(name, await outcomeOf(talk, body))
        written.push(...talk.written())
      }
      if (together) await Promise.all(conversations.map(have))
      else for (const [i, conversation] of conversations.entries()) await have(conversation, i)
    } finally {
      await server.stop()
    }
    await report.check(`${about}: no callback ran after the end of its conversation, ondisconnect never twice`, () => {
      for (const [name, count] of written) assert.equal(server.linesOf(name).length, count, name)
      const ends = (/** @type {string} */ name) => server.linesOf(name).filter(({ text }) => text === 'disconnect')
      assert.deepEqual(server.names.filter(name => ends(name).length > 1), [])
    })
  } catch (error) {
    report.fail(`${about}: the run`, error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  return outcomes
}

/**
 * @param {Talk} talk
 * @param {(talk: Talk) => Promise<void>} body
 * @returns {Promise<Outcome>}
 */
async function outcomeOf(talk, body) {
  try {
    try {
      await body(talk)
    } finally {
      await talk.finish()
    }
    return { record: talk.record() }
  } catch (error) {
    return { error }
  }
}

/**
 * @param {Side} side
 * @param {Outcome} outcome
 */
function recordOf(side, outcome) {
  if ('error' in outcome) throw new Error(`with ${NAMES[side]}: ${outcome.error}`, { cause: outcome.error })
  return outcome.record
}
