// The one table of what a peer can do wrong: every code, and the HTTP status that goes with it. Who only throws errors has
// no need of it: a page that loads the client does without. Runs in browsers.

const STATUS_OF = {
  MSGBUS_BODY_BOUNDARY: 400,
  MSGBUS_BODY_INCOMPLETE: 400,
  MSGBUS_BODY_SLOW: 408,
  MSGBUS_BODY_TOO_LARGE: 413,
  MSGBUS_BUSY: 503,
  MSGBUS_CHANNEL_NAME: 400,
  MSGBUS_CHUNK: 400,
  MSGBUS_CLOSED: 503,
  MSGBUS_CONTENT_ENCODING: 415,
  MSGBUS_CURSOR: 400,
  MSGBUS_ENVELOPE: 400,
  MSGBUS_FILTER: 400,
  MSGBUS_GONE: 410,
  MSGBUS_HEADER_COUNT: 431,
  MSGBUS_HEADER_REPEATED: 400,
  MSGBUS_HOST: 421,
  MSGBUS_LENGTH_REQUIRED: 411,
  MSGBUS_METHOD: 501,
  MSGBUS_METHOD_NOT_ALLOWED: 405,
  MSGBUS_MULTIPART: 400,
  MSGBUS_NOT_FOUND: 404,
  MSGBUS_NOT_MSGBUS: 502,
  MSGBUS_ORIGIN: 403,
  MSGBUS_PASSWORD: 401,
  MSGBUS_PIPELINED_STREAM: 400,
  MSGBUS_QUERY: 400,
  MSGBUS_REFUSED: 502,
  MSGBUS_SENDER: 400,
  MSGBUS_STORE: 503,
  MSGBUS_STORE_FULL: 507,
  MSGBUS_STREAM_CUT: 502,
  MSGBUS_TARGET: 400,
  MSGBUS_TRANSFER_ENCODING: 501,
  MSGBUS_TYPE: 400,
  MSGBUS_UNREACHABLE: 502,
  MSGBUS_UPGRADE: 426,
  MSGBUS_URL_TOO_LONG: 414,
  MSGBUS_VERSION: 505,
} as const

/** Stable names of everything a peer can do wrong; `doc/errors.md` explains each. */
export type ErrorCode = keyof typeof STATUS_OF

/** HTTP status that goes with the code. */
export function statusOf(code: ErrorCode): number {
  return STATUS_OF[code]
}
