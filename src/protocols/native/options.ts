// What the native protocol is given to work with.

import type { Bus } from '../../bus/bus.ts'
import type { Intake } from '../../http/intake.ts'
import type { Streams } from '../../http/streams.ts'
import type { Log } from '../../log.ts'

export interface NativeOptions {
  readonly bus: Bus
  readonly intake: Intake
  readonly streams: Streams
  readonly log: Log
  /** Bytes of one message. */
  readonly maxBodyBytes: number
  /** Bytes of one form with all its files. */
  readonly maxFormBytes: number
  /** `2008` writes the byte form of the 2008 server to every reader that does not ask for another. */
  readonly framing: 'standard' | '2008'
}
