// Reads dates of HTTP. Node's own parser takes almost anything for a date, and silently.

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const CLOCK = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<secondOfMinute>\\d\\d)'

// [RFC 9110 §5.6.7] The one that is written today, and two that are still to be read.
const FORMS = [
  new RegExp(`^[A-Z][a-z]{2}, (?<day>\\d\\d) (?<month>[A-Z][a-z]{2}) (?<year>\\d{4}) ${CLOCK} GMT$`),
  new RegExp(`^[A-Z][a-z]{5,8}, (?<day>\\d\\d)-(?<month>[A-Z][a-z]{2})-(?<year>\\d\\d) ${CLOCK} GMT$`),
  new RegExp(`^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \\d]\\d) ${CLOCK} (?<year>\\d{4})$`),
]

// [RFC 6265 §5.1.1] Of years of two digits, those from 70 on are of the last century.
const CENTURY = 2000

/** Seconds since 1970; null for what is no date, or names a day that no month has. */
export function parseHttpDate(text: string): number | null {
  for (const form of FORMS) {
    const groups = form.exec(text)?.groups
    if (groups !== undefined) return secondsOf(groups)
  }
  return null
}

function secondsOf(groups: Readonly<Record<string, string | undefined>>): number | null {
  const number = (name: string): number => Number(groups[name])
  const month = MONTHS.indexOf(groups['month'] ?? '')
  const given = number('year')
  const year = groups['year']?.length === 4 ? given : CENTURY + given - (given >= 70 ? 100 : 0)
  const day = number('day')
  const date = new Date(0)
  // Not Date.UTC, for which the year 99 is 1999.
  date.setUTCFullYear(year, month, day)
  date.setUTCHours(number('hour'), number('minute'), number('secondOfMinute'))
  const isReal = month >= 0 && date.getUTCMonth() === month && date.getUTCDate() === day
  return isReal && number('hour') < 24 && number('minute') < 60 && number('secondOfMinute') <= 60
    ? date.getTime() / 1000
    : null
}
