/** One picture: how often each server does what ws does, per processor time. Made by hand, for light and dark pages. */
import { ratio } from '../run/statistics.js'
import { SUBJECT } from '../run/servers.js'
import { times } from './format.js'

const BASE = 'ws'
/** What a reader looks for first, in this order. */
const PANELS = [
  { id: 'echo-20x32-text', title: 'Echo, 20 B, 32 in flight' },
  { id: 'echo-20x1-text', title: 'Echo, 20 B, 1 in flight' },
  { id: 'echo-1Kx8-text', title: 'Echo, 1 KiB, 8 in flight' },
  { id: 'echo-16Kx4-binary', title: 'Echo, 16 KiB, 4 in flight' },
  { id: 'echo-1Mx1-binary', title: 'Echo, 1 MiB, 1 in flight' },
  { id: 'deflate-1Kx4', title: 'Compressed echo, 1 KiB, 4 in flight' },
  { id: 'client-receive-20', title: 'Client receives 20 B' },
  { id: 'fanout-64x16', title: 'Fan-out to 200, 64 B, 16 in flight' },
  { id: 'burst', title: '1,000 sends in one tick' },
  { id: 'handshakes', title: 'Handshakes' },
]

const LABELS = { net: 'net.Socket (floor)', 'kore-ws-portable': 'kore-ws, portable' }
const CLASSES = { [SUBJECT]: 'own', 'kore-ws-portable': 'portable' }

const WIDTH = 800
const MARGIN = 16
const GAP = 24
const COLUMN = (WIDTH - 2 * MARGIN - GAP) / 2
const NAMES = 124
const VALUES = 58
const BAR = 14
const ROW = 21
const PANEL_HEAD = 30
const PANEL_GAP = 20
const TITLE = 58
const FOOT = 30

const STYLE = `
text { font: 13px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: #24292f }
.title { font-size: 18px; font-weight: 600 }
.panel { font-size: 14px; font-weight: 600 }
.quiet { fill: #57606a }
.bar { fill: #8c959f }
.own { fill: #0969da }
.portable { fill: #54aeff }
.ownText { font-weight: 600 }
.line { stroke: #57606a; stroke-dasharray: 2 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.quiet { fill: #9198a1 }
.bar { fill: #656c76 }
.own { fill: #4493f8 }
.portable { fill: #265d9e }
.line { stroke: #9198a1 }
}`

/** @returns {string | undefined} an SVG document; undefined where no workload of it was measured beside ws */
export function picture(report) {
  const panels = PANELS.map(({ id, title }) => ({ title, bars: barsOf(report.results[id]) })).filter(({ bars }) => bars.length > 0)
  if (panels.length === 0) return undefined
  const parts = []
  let top = TITLE
  for (let i = 0; i < panels.length; i += 2) {
    const pair = panels.slice(i, i + 2)
    pair.forEach((panel, column) => parts.push(drawPanel(panel, MARGIN + column * (COLUMN + GAP), top)))
    top += PANEL_HEAD + Math.max(...pair.map(({ bars }) => bars.length)) * ROW + PANEL_GAP
  }
  const { machine, date } = report
  const foot = `${date}, ${machine.cpu}, Node.js ${machine.node}; longer is better, the dashed line is ${BASE}. How: docs/performance.md`
  const height = top + FOOT
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>Messages per second of processor time, ${BASE} = 1</title>
<style>${STYLE}
</style>
${text(MARGIN, 32, 'title', `Messages per second of processor time, ${BASE} = 1`)}
${parts.join('\n')}
${text(MARGIN, height - 14, 'quiet', foot)}
</svg>
`
}

function barsOf(cells = {}) {
  const base = cells[BASE]
  return Object.entries(cells)
    .map(([name, cell]) => ({ name, value: ratio(cell, base) }))
    .filter(({ value }) => value !== undefined)
    .sort((a, b) => b.value - a.value)
}

function drawPanel({ title, bars }, left, top) {
  const room = COLUMN - NAMES - VALUES
  const most = Math.max(...bars.map(({ value }) => value))
  const from = left + NAMES
  const baseAt = round(from + room / most)
  const rows = bars.map(({ name, value }, i) => {
    const y = top + PANEL_HEAD - 8 + i * ROW
    const width = Math.max(1, (value / most) * room)
    const textClass = name === SUBJECT ? 'ownText' : ''
    return [
      text(left, y + 12, textClass, LABELS[name] ?? name),
      `<rect class="${CLASSES[name] ?? 'bar'}" x="${from}" y="${y}" width="${round(width)}" height="${BAR}" rx="2"/>`,
      // Behind the dashed line too, which would cross it.
      text(round(Math.max(from + width, value < 1 ? baseAt : 0) + 6), y + 12, textClass, times(value)),
    ].join('\n')
  })
  const bottom = top + PANEL_HEAD - 8 + bars.length * ROW
  const line = `<line class="line" x1="${baseAt}" x2="${baseAt}" y1="${top + PANEL_HEAD - 12}" y2="${bottom}"/>`
  return [text(left, top + 8, 'panel', title), ...rows, line].join('\n')
}

function text(x, y, kind, content) {
  return `<text x="${x}" y="${y}"${kind && ` class="${kind}"`}>${escape(content)}</text>`
}

function round(value) {
  return Math.round(value * 10) / 10
}

function escape(content) {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
