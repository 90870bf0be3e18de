// The options of test-sub, each once.

import type { Option } from '../options.ts'
import { TARGET_OPTIONS } from '../target.ts'
import { ANY_TEXT, COUNT, DURATION, integer } from '../values.ts'

export const NAME = 'test-sub'

export const ABOUT =
  'Subscribes many times over, checks that every message of test-pub comes once, in order and byte for byte, and prints rates and times. Exits 0 only if all was well.'

export const OPTIONS = {
  channel: {
    name: 'channel',
    short: 'c',
    placeholder: 'NAME',
    kind: ANY_TEXT,
    default: 'flood',
    help: 'Channel to read; also a list (a,b), everything below a name (a/), or nothing for everything.',
  },
  channelCount: {
    name: 'channels',
    placeholder: 'N',
    kind: integer(1, 1_000_000),
    default: '1',
    help: 'Read NAME-0 to NAME-(N-1) instead, one after the other: each connection one of them.',
  },
  connectionCount: {
    name: 'connections',
    short: 'n',
    placeholder: 'N',
    kind: integer(1, 1_000_000),
    default: '1',
    help: 'Subscribers, each with a connection of its own.',
  },
  ...TARGET_OPTIONS,
  count: {
    name: 'count',
    placeholder: 'N',
    kind: COUNT,
    help: 'Stop when each subscriber has N messages; one that gets fewer is a fault.',
  },
  durationMs: {
    name: 'duration',
    short: 'd',
    placeholder: 'TIME',
    kind: DURATION,
    help: 'Stop after this time, counted from when all streams are open.',
  },
  allowsSkips: {
    name: 'allow-skips',
    help: 'Do not count as a fault what the server says that a slow subscriber has lost.',
  },
  isJson: { name: 'json', help: 'Print the result as one line of JSON.' },
} as const satisfies Readonly<Record<string, Option>>
