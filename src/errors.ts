// The one error class for what a peer causes; its codes are the table in `statuses.ts`. Misuse by code or configuration
// throws the built-in classes instead. Runs in browsers.

import type { ErrorCode } from './statuses.ts'

export type { ErrorCode } from './statuses.ts'

export interface MsgbusErrorOptions extends ErrorOptions {
  /** Of the answer that brought the error. */
  readonly status?: number
}

/** Something a peer caused. The message is one line, fit to be sent back to that peer: it holds no secret and no path. */
export class MsgbusError extends Error {
  override readonly name = 'MsgbusError'
  readonly code: ErrorCode
  /** What a server answered; undefined for what no answer brought. The one to answer with is `statusOf(code)`. */
  readonly status: number | undefined

  constructor(code: ErrorCode, message: string, options?: MsgbusErrorOptions) {
    super(message, options)
    this.code = code
    this.status = options?.status
  }
}
