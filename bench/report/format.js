/** Figures as text: three digits are more than a benchmark knows. */

const UNITS = [
  { from: 1e9, suffix: ' G' },
  { from: 1e6, suffix: ' M' },
  { from: 1e3, suffix: ' k' },
  { from: 0, suffix: '' },
]

/** 3412345 as '3.41 M'. @param {number | undefined} value */
export function amount(value) {
  if (value === undefined) return '–'
  // What rounds up to 1000 belongs to the next unit.
  const { from, suffix } = UNITS.find(unit => value >= unit.from * 0.9995) ?? UNITS[UNITS.length - 1]
  return `${digits(from === 0 ? value : value / from)}${suffix}`
}

/** @param {number | undefined} value */
export function times(value) {
  return value === undefined ? '–' : `${digits(value)} ×`
}

/** @param {number | undefined} share */
export function percent(share) {
  return share === undefined ? '–' : `${Math.round(share * 100)} %`
}

/** @param {number | undefined} value */
export function megabytes(value) {
  return value === undefined ? '–' : `${Math.round(value / 1e6)} MB`
}

/** @param {number | undefined} value */
export function bytes(value) {
  return value === undefined ? '–' : `${Math.round(value)} B`
}

/** @param {number | undefined} value in microseconds */
export function microseconds(value) {
  if (value === undefined) return '–'
  return value >= 1000 ? `${digits(value / 1000)} ms` : `${digits(value)} µs`
}

export function digits(value) {
  if (value >= 99.95) return String(Math.round(value))
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2)
}
