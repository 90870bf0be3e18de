// The options of test-pub, each once.

import type { Option } from '../options.ts'
import { TARGET_OPTIONS } from '../target.ts'
import { COUNT, DURATION, FILE, integer, MEDIA_TYPE, RATE, size, TEXT } from '../values.ts'

const MAX_BODY_BYTES = 256 * 1024 ** 2

export const NAME = 'test-pub'

export const ABOUT =
  'Publishes numbered messages that test-sub can check, at a steady rate or as fast as it goes, and prints rates and times of the answers. Exits 0 only if every message was accepted.'

export const OPTIONS = {
  channel: {
    name: 'channel',
    short: 'c',
    placeholder: 'NAME',
    kind: TEXT,
    default: 'flood',
    help: 'Channel to publish to.',
  },
  channelCount: {
    name: 'channels',
    placeholder: 'N',
    kind: integer(1, 100_000),
    default: '1',
    help: 'Publish to NAME-0 to NAME-(N-1) instead, in turn.',
  },
  rate: {
    name: 'rate',
    short: 'r',
    placeholder: 'N',
    kind: RATE,
    default: '1',
    help: 'Messages per second, of all publishers together; 0 or max for as fast as it goes.',
  },
  publisherCount: {
    name: 'publishers',
    short: 'n',
    placeholder: 'N',
    kind: integer(1, 1_000),
    default: '1',
    help: 'Publishers, each with a connection and numbers of its own.',
  },
  bodyBytes: {
    name: 'bytes',
    short: 'b',
    placeholder: 'SIZE',
    kind: size(0, MAX_BODY_BYTES),
    help: 'Length of a message; at least that of a stamp, and 100 if neither this nor a file is given.',
  },
  file: {
    name: 'file',
    short: 'f',
    placeholder: 'FILE',
    kind: FILE,
    help: 'Put this behind each stamp.',
  },
  isUnstamped: {
    name: 'no-stamp',
    help: 'Publish the file, or so many bytes, as it is. Nobody can check such messages.',
  },
  type: {
    name: 'type',
    short: 't',
    placeholder: 'TYPE',
    kind: MEDIA_TYPE,
    default: 'text/plain',
    help: 'Content-Type of the messages.',
  },
  isStreamed: {
    name: 'streamed',
    help: 'Publish all messages of a publisher as parts of one endless request. No message is answered by itself then.',
  },
  windowCount: {
    name: 'window',
    short: 'w',
    placeholder: 'N',
    kind: integer(1, 65_536),
    default: '64',
    help: 'Requests of one publisher that may wait for their answers at once.',
  },
  ...TARGET_OPTIONS,
  count: {
    name: 'count',
    placeholder: 'N',
    kind: COUNT,
    help: 'Stop after N messages of all publishers together.',
  },
  durationMs: {
    name: 'duration',
    short: 'd',
    placeholder: 'TIME',
    kind: DURATION,
    help: 'Stop after this time.',
  },
  isJson: { name: 'json', help: 'Print the result as one line of JSON.' },
} as const satisfies Readonly<Record<string, Option>>
