// msgbus as a library: what an embedder imports.
//
// # Layout
//
// A message flows one way, and the folders are in its order:
//
//   socket → http → protocols → bus → store → bus → codec → http → socket
//
// - `http/` turns connections into exchanges (`listener`, `gate`, `router`, `intake`) and batches into socket writes
//   (`streams`, `stream-sink`). It knows no dialect.
// - `protocols/` says what URLs, methods and headers mean; `native/` is ours, `hbpush/` that of py-hbpush. A protocol never
//   imports another one.
// - `bus/` finds the subscriptions that want a message (`bus`, `lane`) and brings readers from the past to now (`replay`).
//   It knows no HTTP: it is handed an encoder and a sink (`sink`).
// - `store/` keeps messages and gives them their order and their ids; `store` is what every one of them promises.
// - `codec/` turns messages into bytes and back. Pure, and shared with browsers.
// - `workers/` is the same server in several processes: one has the store, which the others use through `store/remote/`.
// - `config/` has every option once, in `schema`.
// - `message`, `channel`, `matcher`, `filter`, `cursor`, `errors` and `statuses` are the base that all of them stand on.
// - `server` puts it together; `cli` is the program around it.

export { Bus, type Subscription, type SubscriptionRequest } from './bus/bus.ts'
export { Filter } from './filter.ts'
export { type Matcher, parseMatcher } from './matcher.ts'
export type { Batch, Encoder, Sink } from './bus/sink.ts'
export { type ErrorCode, MsgbusError, type MsgbusErrorOptions } from './errors.ts'
export { statusOf } from './statuses.ts'
export type { Log, LogFields, LogLevel } from './log.ts'
export type { Draft, Message } from './message.ts'
export { MemoryStore, type MemoryStoreOptions } from './store/memory.ts'
export { openStore, type StoreSettings } from './store/open.ts'
export type { Retention } from './store/retention.ts'
export { StoreError } from './store/store-error.ts'
export type {
  Awaitable,
  Capability,
  ChannelRecord,
  KeptMessage,
  Page,
  PageRequest,
  Place,
  Start,
  Store,
} from './store/store.ts'
export type { HbpushLocation } from './protocols/hbpush/location.ts'
export { createServer, type ListenOptions, type Server, type ServerOptions } from './server.ts'
