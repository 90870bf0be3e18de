// msgbus as a library: what an embedder imports.
//
// # Layout
//
// A message flows one way, and the folders are in its order:
//
//   socket → http → protocols → bus → codec → http → socket
//
// - `http/` turns connections into exchanges (`listener`, `gate`, `router`, `intake`) and batches into socket writes
//   (`streams`, `stream-sink`). It knows no dialect.
// - `protocols/` says what URLs, methods and headers mean; `native/` is ours. A protocol never imports another one.
// - `bus/` gives messages their order and finds the subscriptions that want them (`bus`, `lane`, `matcher`, `filter`).
//   It knows no HTTP: it is handed an encoder and a sink (`sink`).
// - `codec/` turns messages into bytes and back. Pure, and shared with browsers.
// - `config/` has every option once, in `schema`.
// - `message`, `channel` and `errors` are the base that all of them stand on.
// - `server` puts it together; `cli` is the program around it.

export { Bus, type Subscription, type SubscriptionRequest } from './bus/bus.ts'
export { Filter } from './filter.ts'
export { type Matcher, parseMatcher } from './matcher.ts'
export type { Batch, Encoder, Sink } from './bus/sink.ts'
export { type ErrorCode, MsgbusError } from './errors.ts'
export type { Log, LogFields, LogLevel } from './log.ts'
export type { Draft, Message } from './message.ts'
export { createServer, type ListenOptions, type Server, type ServerOptions } from './server.ts'
