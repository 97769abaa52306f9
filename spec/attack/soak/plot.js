/** The soak as a picture: memory over time. Made by hand, for light and dark pages. */

const WIDTH = 800
const HEIGHT = 320
const LEFT = 64
const RIGHT = 150
const TOP = 56
const BOTTOM = 52
const MIBI = 1024 * 1024
const MINUTE = 60
const LINES = 4

const STYLE = `
text { font: 13px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: #24292f }
.title { font-size: 18px; font-weight: 600 }
.quiet { fill: #57606a }
.line { stroke: #d0d7de }
.warm { fill: #57606a; opacity: 0.12 }
.rss { stroke: #0969da; fill: none; stroke-width: 2 }
.held { stroke: #bf8700; fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.quiet { fill: #9198a1 }
.line { stroke: #3d444d }
.warm { fill: #9198a1 }
.rss { stroke: #4493f8 }
.held { stroke: #d29922 }
}`

/**
 * @param {{ samples: { at: number, rss: number, held: number }[], minutes: number, warmUp: number, connections: number,
 *   date: string }} soak `at` and `warmUp` in seconds
 */
export function plot({ samples, minutes, warmUp, connections, date }) {
  const end = Math.max(samples.at(-1).at, minutes * MINUTE)
  const step = roundStep(Math.max(...samples.map(({ rss }) => rss)) / MIBI / LINES)
  const x = at => round(LEFT + (at / end) * (WIDTH - LEFT - RIGHT))
  const y = bytes => round(HEIGHT - BOTTOM - (bytes / MIBI / (step * LINES)) * (HEIGHT - TOP - BOTTOM))
  const levels = Array.from({ length: LINES + 1 }, (_, i) => i * step)
  const title = `Memory of a server with ${connections.toLocaleString('en')} connections of mixed behaviour`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">
<title>${title}</title>
<style>${STYLE}
</style>
${text(16, 30, 'title', title)}
<rect class="warm" x="${LEFT}" y="${TOP}" width="${round(x(warmUp) - LEFT)}" height="${HEIGHT - TOP - BOTTOM}"/>
${levels.map(level => `<line class="line" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(level * MIBI)}" y2="${y(level * MIBI)}"/>\n${text(LEFT - 8, y(level * MIBI) + 4, 'quiet', `${level} MiB`, 'end')}`).join('\n')}
${ticks(end)
  .map(minute => text(x(minute * MINUTE), HEIGHT - BOTTOM + 18, 'quiet', `${minute} min`, 'middle'))
  .join('\n')}
${[
  ['rss', 'resident'],
  ['held', 'heap and buffers'],
]
  .map(([key, label]) => line(samples, key, label, x, y))
  .join('\n')}
${text(16, HEIGHT - 12, 'quiet', `${date}; the heap after a garbage collection; grey: not judged, as the server warms up. How: docs/security.md`)}
</svg>
`
}

function line(samples, key, label, x, y) {
  const points = samples.map(sample => `${x(sample.at)},${y(sample[key])}`)
  return `<polyline class="${key}" points="${points.join(' ')}"/>\n${text(WIDTH - RIGHT + 8, y(samples.at(-1)[key]) + 4, '', label)}`
}

function ticks(end) {
  const all = end / MINUTE
  const step = all > 12 ? 5 : all > 4 ? 2 : 1
  return Array.from({ length: Math.floor(all / step) + 1 }, (_, i) => i * step)
}

function roundStep(least) {
  return [5, 10, 20, 25, 50, 100, 200, 250, 500, 1000].find(step => step >= least) ?? 2000
}

function text(x, y, kind, content, anchor = 'start') {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${kind && ` class="${kind}"`}>${content}</text>`
}

function round(value) {
  return Math.round(value * 10) / 10
}
