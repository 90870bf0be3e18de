// Numbers and times as people read them.

/** With three digits: 0.25, 4.1, 128, 12.3k. */
export function formatRate(perSecond: number): string {
  if (perSecond === 0) return '0'
  if (perSecond < 0.1) return '<0.1'
  return formatScaled(perSecond, 1_000, ['', 'k', 'M', 'G'])
}

export function formatCount(count: number): string {
  return count < 100_000 ? count.toLocaleString('en') : formatScaled(count, 1_000, ['', 'k', 'M', 'G'])
}

export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${Math.round(bytes)} B`
  return formatScaled(bytes, 1_000, [' B', ' kB', ' MB', ' GB', ' TB', ' PB'])
}

function formatScaled(amount: number, base: number, units: readonly string[]): string {
  let value = amount
  let at = 0
  // What would be rounded up to a thousand is one of the next unit.
  while (value >= base - 0.5 && at < units.length - 1) {
    value /= base
    at++
  }
  const digits = value >= 99.95 ? 0 : 1
  return `${value.toFixed(digits).replace(/\.0$/, '')}${units[at] ?? ''}`
}

/** The two largest units: 3 d 4 h, 5 min 6 s. */
export function formatDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const
  const first = parts.findIndex(([amount]) => amount > 0)
  if (first < 0) return '0 s'
  return parts
    .slice(first, first + 2)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ')
}

/** How long ago something was, in its largest unit. */
export function formatAge(ms: number): string {
  if (ms < 1_500) return 'now'
  return `${formatDuration(ms).replace(/^(\d+ \w+).*/, '$1')} ago`
}

/** Time of day with milliseconds, with the date if that is another one than today's. */
export function formatTime(time: Date, now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')
  const text = `${clock}.${String(time.getMilliseconds()).padStart(3, '0')}`
  if (time.toDateString() === now.toDateString()) return text
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${text}`
}

/** What went wrong, in the server's words where it said something. */
export function formatError(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replace(/^.*?\bMSGBUS_[A-Z_]+: /, '')
}
