/** One stream through everything, and what does not agree. */
import { CLOSE, FIN, frame, PONG } from './frames.js'
import { KNOWN } from './known.js'
import { expected } from './model.js'
import { KEY, variantsFor } from './ours.js'

/** 1000. */
const CLOSING_CODE = Buffer.from('03e8', 'hex')

/** What an endpoint owes for what it has received: a pong for each ping, and a close frame, or its own in front. */
function answersTo({ role }, { events, end }, violations, closing) {
  const key = role === 'client' ? KEY : undefined
  const answers = events
    .filter(event => event.startsWith('ping '))
    .map(event => frame(FIN | PONG, Buffer.from(event.slice(5), 'latin1'), key))
  if (closing) return Buffer.concat([frame(FIN | CLOSE, CLOSING_CODE, key), ...answers])
  if (end.type === 'open') return Buffer.concat(answers)
  const { code, reason } =
    end.type === 'closed' ? end : { code: violations[end.violation][0], reason: violations[end.violation][1] }
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  const said = code === 1005 ? Buffer.alloc(0) : Buffer.concat([payload, Buffer.from(reason)])
  return Buffer.concat([...answers, frame(FIN | CLOSE, said, key)])
}

const sameEvents = (a, b) => a.length === b.length && a.every((event, i) => event === b[i])
const sameEnd = (a, b) => a.type === b.type && a.code === b.code && (a.type === 'failed' || a.reason === b.reason)

/** Whether ours came to what the model says. */
function agrees(ours, model) {
  if (!sameEvents(ours.events, model.events) || ours.end.type !== model.end.type) return false
  if (model.end.type === 'failed') return model.end.violations.includes(ours.end.violation)
  return ours.end.code === model.end.code && ours.end.reason === model.end.reason
}

/** Whether it ended with the very byte that the model needs for it. Only a run byte by byte tells. */
function endsInTime(settings, { endedAt }) {
  const upTo = length => expected({ ...settings, stream: settings.stream.subarray(0, length) }).end.type
  return endedAt === undefined || (upTo(endedAt) !== 'open' && upTo(endedAt - 1) === 'open')
}

/** What is wrong with one way of running a stream; undefined where nothing is. */
function complaint(settings, { cuts, pause, closing, failAt }, ours, model, violations) {
  if (ours.broken.length > 0) return ours.broken[0]
  if (failAt !== undefined) {
    return ours.events.every((event, i) => event === model.events[i]) ? undefined : 'it is not what the model expects'
  }
  if (!agrees(ours, model)) return 'it is not what the model expects'
  if (ours.sent !== answersTo(settings, ours, violations, closing).toString('latin1')) return 'its answers are wrong'
  const bytewise = cuts.length > 1 && cuts.every(size => size === 1) && cuts.length >= settings.stream.length
  if (bytewise && pause === undefined && !endsInTime(settings, ours)) return 'it ends too late'
  return undefined
}

/**
 * @returns {Promise<{ known: string[], difference: object | undefined }>} names of list entries that were seen, and
 *   what nobody knows of
 */
export async function compare(settings, cuts, seed, driver, runTheirs) {
  const model = expected(settings)
  const results = []
  for (const variant of variantsFor(cuts, seed)) {
    const ours = await driver.runOurs(settings, variant)
    const what = complaint(settings, variant, ours, model, driver.lib.VIOLATIONS)
    if (what !== undefined) return { known: [], difference: { what: `${variant.name}: ${what}`, ours, model } }
    results.push(ours)
  }
  if (runTheirs === undefined) return { known: [], difference: undefined }
  const [ours] = results
  const theirs = await runTheirs(settings, cuts, seed % 16 === 0)
  if (sameEvents(ours.events, theirs.events) && sameEnd(ours.end, theirs.end))
    return { known: [], difference: undefined }
  const entry = KNOWN.find(({ holds }) => holds(ours, theirs, model))
  if (entry !== undefined) return { known: [entry.name], difference: undefined }
  return { known: [], difference: { what: 'ws differs', ours, theirs, model } }
}
