/** JSON: records with names, numbers, dates and lists; ASCII only. */
import { randomFrom, type Random } from './random.ts'
import { ascii } from './words.ts'

const SEED = 0x5eed02

/** A list of records, a little more than `size` characters. */
export function json(size: number): string {
  const random = randomFrom(SEED)
  const records: string[] = []
  let length = 0
  while (length < size) {
    const record = JSON.stringify(makeRecord(random, records.length), null, 1)
    records.push(record)
    length += record.length
  }
  return `[${records.join(',\n')}]`
}

function makeRecord(random: Random, index: number): object {
  const name = ascii(random)
  return {
    id: index,
    key: random(2 ** 32)
      .toString(16)
      .padStart(8, '0'),
    name: `${name} ${ascii(random)}`,
    mail: `${name}.${random(1000)}@example.org`,
    active: random(3) > 0,
    balance: random(1_000_000) / 100,
    since: `20${10 + random(15)}-${1 + random(12)}-${1 + random(28)}`,
    position: { latitude: random(1_800_000) / 10_000 - 90, longitude: random(3_600_000) / 10_000 - 180 },
    tags: Array.from({ length: random(6) }, () => ascii(random)),
    note: Array.from({ length: 4 + random(12) }, () => ascii(random)).join(' '),
  }
}
