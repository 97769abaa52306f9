/** The table of docs/kore.md, section by section: each row is tried, and no trial is without its row. */
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import * as kore from '../../lib/kore.ts'
import { KoreConnection } from '../../lib/kore/connection.ts'
import { frame, masked } from '../helpers/frames.ts'
import type { HandshakeParts } from '../helpers/raw-client.ts'
import { Served } from '../kore/served.ts'
import { pageOf, sectionOf, tableOf } from './page.ts'

/** Tries what our cell says; numbers are the statuses and close codes of that cell. */
export type Trial = (t: Test, numbers: readonly number[], ours: string) => unknown

const PAGE = pageOf('kore.md')
const VERDICTS = /^(same|RFC instead|safer|more|other|not here)\b/

/** @param trials by what Kore does, word for word */
export function tryRows(heading: string, trials: Readonly<Record<string, Trial>>): void {
  const { rows } = tableOf(sectionOf(PAGE, heading), 'Kore does')
  t.test(`${heading}: each row is tried, and has a verdict`, async t => {
    t.strictSame(rows.map(([kore = '']) => kore), Object.keys(trials))
    for (const [kore = '', ours = ''] of rows) t.match(ours, VERDICTS, kore)
  })
  for (const [kore = '', ours = ''] of rows) {
    t.test(`${kore}: ${ours}`, async t => {
      const trial = trials[kore] as Trial | undefined
      if (trial === undefined) t.fail('no trial')
      else await trial(t, numbersIn(ours), ours)
    })
  }
}

/** Statuses and close codes: whole numbers of three or four digits. */
export function numbersIn(cell: string): number[] {
  return (cell.match(/(?<![\d,.])\d{3,4}(?![\d,.]\d|\d)/g) ?? []).map(Number)
}

/** For rows that take several processes: the spec that has them still has that test. */
export function triedIn(spec: string, title: string): Trial {
  return t => {
    const text = readFileSync(new URL(`../${spec}`, import.meta.url), 'utf8')
    t.ok(text.includes(title), `${spec}: ${title}`)
  }
}

/** For what Kore has and these calls do not. */
export function isNotHere(...names: readonly string[]): Trial {
  return (t, _, ours) => {
    t.match(ours, /^not here/)
    const fields = Object.getOwnPropertyNames(KoreConnection.prototype).concat(Object.keys(new KoreConnection(process.stdin)))
    t.strictSame([...Object.keys(kore), ...fields].filter(name => names.some(other => name === other || name.startsWith(`${other}_`))), [])
  }
}

/** A text message of the client's. */
export function said(text: string): string {
  return masked(frame('81', text))
}

/** The event that `said` becomes. */
export function heardAs(text: string): string {
  return `text ${Buffer.from(text).toString('hex')} ${Buffer.byteLength(text)}`
}

/** The status that a request gets from a server with the usual handler. */
export async function statusOf(t: Test, parts: HandshakeParts, served?: Served): Promise<number> {
  const server = served ?? (await Served.start(t))
  const client = await server.asking(parts)
  const head = await client.head()
  await client.close()
  return Number(head.split(' ')[1])
}

/** What a client gets that sends frames, up to the end, and what the callbacks got. */
export async function sending(t: Test, ...frames: readonly string[]): Promise<{ readonly got: string; readonly events: readonly string[] }> {
  const served = await Served.start(t)
  const client = await served.client()
  client.send(...frames)
  const got = await client.rest()
  await served.happened('disconnect')
  return { got, events: served.events }
}

/** The code of a close frame, given as hex. */
export function codeOf(closeFrame: string): number {
  return parseInt(closeFrame.slice(4, 8), 16)
}
