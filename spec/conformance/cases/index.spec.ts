import t from 'tap'
import { isUtf8 } from 'node:buffer'
import { toBuffer, type Case, type ScriptedCase } from '../../../lib/conformance/case.ts'
import { CASES, groupOf, subgroupOf, TITLES } from '../../../lib/conformance/cases/index.ts'
import { isWireCloseCode } from '../../../lib/protocol/close-code.ts'

function ofKind<Kind extends Case['kind']>(kind: Kind): Extract<Case, { kind: Kind }>[] {
  return CASES.filter((one): one is Extract<Case, { kind: Kind }> => one.kind === kind)
}

/** The payload of the one message that a case sends. */
function onlyMessage({ steps }: ScriptedCase): Buffer | undefined {
  const [first] = steps
  return first.do === 'message' ? toBuffer(first.payload) : undefined
}

t.test('517 cases, in the order of their numbers, without a gap', async t => {
  const counts: Record<string, number> = {}
  for (const { id } of CASES) counts[groupOf(id)] = (counts[groupOf(id)] ?? 0) + 1
  t.same(counts, { 1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 9: 54, 10: 1, 12: 90, 13: 126 })
  t.equal(CASES.length, 517)
  const keys = CASES.map(({ id }) =>
    id
      .split('.')
      .map(part => part.padStart(3, '0'))
      .join('.')
  )
  t.same(keys, [...new Set(keys)].sort(), 'in order, each once')
  const subgroups = new Map<string, number>()
  for (const { id } of CASES) {
    const subgroup = subgroupOf(id)
    const number = (subgroups.get(subgroup) ?? 0) + 1
    subgroups.set(subgroup, number)
    if (!id.endsWith(`.${number}`)) t.fail(`${id} is number ${number} of ${subgroup}`)
  }
})

t.test('every case says what it does, in words of its own, and every group has a title', async t => {
  for (const { id, sends, expects } of CASES) {
    if (!/^[A-Z1].*[.…]$/.test(sends) || !/^[A-Z].*\.$/.test(expects)) t.fail(`${id}: ${sends} ${expects}`)
    for (const group of [groupOf(id), subgroupOf(id)]) if (!(group in TITLES)) t.fail(`${group} has no title`)
  }
  t.equal(subgroupOf('5.19'), '5')
  t.equal(subgroupOf('6.12.8'), '6.12')
})

t.test('6.5 to 6.23: text is expected back where node:buffer finds it valid, and only there', async t => {
  const sequences = ofKind('scripted').filter(({ id }) => groupOf(id) === '6' && Number(id.split('.')[1]) >= 5)
  t.equal(sequences.length, 132)
  for (const one of sequences) {
    const payload = onlyMessage(one)
    const isValid = payload !== undefined && isUtf8(payload)
    const expected = one.events.OK.length === 1 ? one.close.codes : [1007]
    t.same(
      [one.events.OK.length, one.close.codes, one.close.closedByMe, one.sideDecides],
      [isValid ? 1 : 0, expected, isValid, !isValid],
      one.id
    )
  }
})

t.test('7.7 and 7.9: codes that may travel and such that may not', async t => {
  const codes = (subgroup: string): number[] =>
    ofKind('scripted')
      .filter(({ id }) => subgroupOf(id) === subgroup)
      .map(({ steps: [step] }) => (step.do === 'close' ? toBuffer(step.payload).readUInt16BE() : NaN))
  t.same(codes('7.7'), [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
  t.same(codes('7.9'), [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999])
  t.ok(codes('7.7').every(isWireCloseCode))
  t.notOk(codes('7.9').some(isWireCloseCode))
})

t.test('what a script expects back is what it sends', async t => {
  for (const { id, steps, events } of ofKind('scripted')) {
    const sent = Buffer.concat(
      steps.map(step =>
        step.do === 'frame'
          ? toBuffer(step.frame.payload)
          : step.do === 'message' || step.do === 'data'
            ? toBuffer(step.payload)
            : Buffer.alloc(0)
      )
    )
    for (const event of events.OK) {
      if (event.is === 'timeout') continue
      const payload = toBuffer(event.payload)
      // In 5.19 and 5.20 pings lie between the fragments.
      const isThere =
        sent.includes(payload) ||
        sent
          .toString()
          .replace(/ping payload|pongme \d!/g, '')
          .includes(payload.toString())
      if (!isThere) t.fail(`${id} expects what it has not sent`)
    }
  }
  t.equal(ofKind('scripted').length, 247)
})

t.test('a script ends by itself: the last step is a time limit', async t => {
  for (const { id, steps } of ofKind('scripted')) {
    const last = steps[steps.length - 1]
    if (last.do !== 'kill' && last.do !== 'give-up') t.fail(id)
  }
  t.same(
    ofKind('scripted')
      .filter(one => one.informational)
      .map(({ id }) => id),
    ['7.1.6', '7.13.1', '7.13.2']
  )
})

t.test('9: sizes, and a thousand round trips', async t => {
  const all = ofKind('echo')
  t.equal(all.length, 54)
  const sizes = all.filter(({ id }) => /^9\.[12]\./.test(id)).map(({ payload }) => payload.length / 65_536)
  t.same(sizes, [1, 4, 16, 64, 128, 256, 1, 4, 16, 64, 128, 256])
  t.same(
    all.filter(({ count }) => count === 1000).map(({ payload }) => payload.length),
    [0, 16, 64, 256, 1024, 4096, 0, 16, 64, 256, 1024, 4096]
  )
  for (const { id, payload } of all) t.equal(toBuffer(payload).length, payload.length, id)
  t.equal(toBuffer(all[0].payload).toString('latin1', 0, 13), 'BAsd7&jh23BAs', 'repeated, and cut')
})

t.test('12 and 13: eighteen sizes for each corpus and each wish', async t => {
  const all = ofKind('compressed')
  t.equal(all.length, 216)
  t.ok(all.every(({ count }) => count === 1000))
  t.same(new Set(all.map(({ corpus }) => corpus)), new Set(['json', 'image', 'prose', 'html', 'document']))
  t.ok(all.filter(({ id }) => groupOf(id) === '13').every(({ corpus }) => corpus === 'json'))
  for (const id of ['12.1.18', '13.7.18']) {
    t.match(
      all.find(one => one.id === id),
      { length: 131_072, fragment: 32_768, limit: 480 },
      id
    )
  }
  t.same(
    all.find(({ id }) => id === '13.7.1')?.wishes.map(({ windowBits }) => windowBits),
    [9, 0, 0]
  )
})
