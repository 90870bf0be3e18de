import t from 'tap'
import { COUNT, DURATION, type Kind, MEDIA_TYPE, RATE, size } from '../../tools/values.ts'

type Values = Readonly<Record<string, number | string | undefined>>

const CASES: readonly (readonly [string, Kind<number | string>, Values])[] = [
  [
    'a time has a unit, or is seconds',
    DURATION,
    { '500ms': 500, '10': 10_000, '1.5s': 1_500, '2m': 120_000, '1h': 3_600_000 },
  ],
  [
    'a time is not nothing, not below it, and at most a week',
    DURATION,
    { '0s': undefined, '1d': undefined, '-1': undefined, '': undefined, '169h': undefined },
  ],
  [
    'a rate is a number, or without a bound',
    RATE,
    { '1': 1, '0.5': 0.5, '100000': 100_000, '0': Infinity, max: Infinity },
  ],
  [
    'a rate is not below nothing, and not next to it',
    RATE,
    { '-1': undefined, '1e3': undefined, '0.001': undefined, fast: undefined },
  ],
  [
    'a size has a unit, or is bytes',
    size(0, 2 * 1024 ** 2),
    { '0': 0, '100': 100, '64KiB': 65_536, '2MiB': 2_097_152 },
  ],
  [
    'a size has a bound, and no other units',
    size(0, 2 * 1024 ** 2),
    { '3MiB': undefined, '1kB': undefined, '1.5KiB': undefined },
  ],
  [
    'a count is whole and not nothing',
    COUNT,
    { '1': 1, '1000000': 1_000_000, '0': undefined, '1.5': undefined, '0x1': undefined },
  ],
  [
    'a media type fits into a header line',
    MEDIA_TYPE,
    { 'text/plain; charset=utf-8': 'text/plain; charset=utf-8', text: undefined, 'text/ä': undefined },
  ],
  ['a media type is one line', MEDIA_TYPE, { 'text/plain\r\nX: y': undefined }],
]

for (const [name, kind, values] of CASES) {
  await t.test(name, t => {
    for (const [text, value] of Object.entries(values)) t.equal(kind.read(text), value, text)
    t.end()
  })
}
