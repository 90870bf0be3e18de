// A bar chart of ratios, as SVG that reads on a light and on a dark page: how much each server does per second of its own time,
// as a part of what the best does.

import type { Row } from './report.ts'
import type { Workload } from './workload.ts'

const WIDTH = 760
const LABEL_WIDTH = 300
const BAR_HEIGHT = 14
const GAP = 4
const GROUP_GAP = 14

const COLORS: Readonly<Record<string, string>> = {
  msgbus: '#0f766e',
  nchan: '#b45309',
  NATS: '#1d4ed8',
  Mosquitto: '#7e22ce',
}

export interface Group {
  readonly workload: Workload
  readonly rows: readonly Row[]
}

export function chartOf(groups: readonly Group[]): string {
  const shapes: string[] = []
  let y = GROUP_GAP
  for (const { workload, rows } of groups) {
    shapes.push(text(0, y + BAR_HEIGHT - 3, `${workload.key}  ${workload.title}`, 'title'))
    y += BAR_HEIGHT + GAP
    const best = Math.max(...rows.map(({ perCpuSecond }) => perCpuSecond))
    for (const { server, perCpuSecond } of rows) {
      const width = Math.max(1, ((WIDTH - LABEL_WIDTH) * perCpuSecond) / best)
      shapes.push(text(LABEL_WIDTH - 8, y + BAR_HEIGHT - 3, server, 'name'))
      const color = COLORS[server.split(' ')[0] ?? ''] ?? '#64748b'
      shapes.push(
        `<rect x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2" fill="${color}"/>`,
      )
      y += BAR_HEIGHT + GAP
    }
    y += GROUP_GAP
  }
  const style =
    'text{font:12px system-ui,sans-serif;fill:#475569}.title{font-weight:600}.name{text-anchor:end}@media(prefers-color-scheme:dark){text{fill:#cbd5e1}}'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" role="img" aria-label="Work per second of CPU time, longer is better"><style>${style}</style>\n${shapes.join('\n')}\n</svg>\n`
}

function text(x: number, y: number, words: string, kind: string): string {
  return `<text x="${x}" y="${y}" class="${kind}">${words}</text>`
}
