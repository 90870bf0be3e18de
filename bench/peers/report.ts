// What the figures come to: medians, ratios of the same round, a table in Markdown and a chart in SVG.

import type { Figure } from './measure.ts'
import type { Workload } from './workload.ts'

/** Figures of one server in one workload, one for each round; a round that failed has none. */
export type Rounds = readonly (Figure | null)[]

/** One server in one workload. */
export interface Row {
  readonly server: string
  /** Deliveries or publishes per second of the server's time. */
  readonly perCpuSecond: number
  readonly perSecond: number
  /** Of the same rounds, that of the first server divided by that of this one; 1 for itself. */
  readonly ratio: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly p999Ms: number | null
  readonly rssBytes: number
  readonly rssBytesPerReader: number
  readonly bytesPerDelivery: number
  /** From 0 to 1. */
  readonly lost: number
  readonly faultCount: number
}

export function rowsOf(workload: Workload, results: ReadonlyMap<string, Rounds>): Row[] {
  const [own] = results.values()
  const rate = (figure: Figure): number => countOf(workload, figure) / figure.cpuSeconds
  return [...results].flatMap(([server, rounds]) => {
    const figures = rounds.filter(figure => figure !== null)
    if (figures.length === 0) return []
    const middle = (of: (figure: Figure) => number): number => median(figures.map(of))
    const ratios = rounds.flatMap((figure, at) => {
      const other = own?.[at]
      return figure === null || other === null || other === undefined ? [] : [rate(other) / rate(figure)]
    })
    return {
      server,
      perCpuSecond: middle(rate),
      perSecond: middle(figure => countOf(workload, figure) / figure.seconds),
      ratio: median(ratios),
      p50Ms: latency(figures, 'p50'),
      p99Ms: latency(figures, 'p99'),
      p999Ms: latency(figures, 'p999'),
      rssBytes: middle(figure => figure.rssBytes),
      rssBytesPerReader: middle(figure => figure.rssBytesPerReader),
      bytesPerDelivery: middle(figure => figure.byteCount / figure.deliveredCount),
      lost: middle(figure => figure.lostCount / Math.max(1, figure.deliveredCount + figure.lostCount)),
      faultCount: Math.max(...figures.map(figure => figure.faultCount)),
    }
  })
}

function countOf({ unit }: Workload, figure: Figure): number {
  return unit === 'deliveries' ? figure.deliveredCount : figure.publishedCount
}

function latency(figures: readonly Figure[], key: 'p50' | 'p99' | 'p999'): number | null {
  const values = figures.flatMap(figure => (figure.latency === null ? [] : [figure.latency[key]]))
  return values.length === 0 ? null : median(values)
}

export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN
}

/** A table for one workload, as Markdown. */
export function tableOf(workload: Workload, rows: readonly Row[]): string {
  const lines =
    workload.isIdle === true
      ? [
          '| server | memory per reader | memory in all |',
          '| --- | ---: | ---: |',
          ...rows.map(row => `| ${row.server} | ${kib(row.rssBytesPerReader)} | ${mib(row.rssBytes)} |`),
        ]
      : [
          `| server | ${workload.unit} per CPU second | msgbus is | per second | p50 · p99 · p99.9 | memory | bytes each | lost |`,
          '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
          ...rows.map(lineOf),
        ]
  return `**${workload.key}** ${workload.title}\n\n${lines.join('\n')}\n`
}

function lineOf(row: Row): string {
  const cells = [
    row.server,
    thousands(row.perCpuSecond),
    `× ${row.ratio.toFixed(2)}`,
    thousands(row.perSecond),
    `${ms(row.p50Ms)} · ${ms(row.p99Ms)} · ${ms(row.p999Ms)}`,
    mib(row.rssBytes),
    row.bytesPerDelivery.toFixed(0),
    row.faultCount > 0
      ? `${row.faultCount} WRONG`
      : row.lost === 0
        ? 'nothing'
        : `${(row.lost * 100).toFixed(1)} %`,
  ]
  return `| ${cells.join(' | ')} |`
}

function thousands(value: number): string {
  return value >= 100_000
    ? `${Math.round(value / 1000).toLocaleString('en')} k`
    : value >= 1_000
      ? `${(value / 1000).toFixed(1)} k`
      : value.toFixed(0)
}

function ms(value: number | null): string {
  return value === null ? '–' : value >= 10 ? value.toFixed(0) : value.toFixed(1)
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`
}

function kib(bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KiB`
}
