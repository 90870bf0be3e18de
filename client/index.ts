// The client library: what `msgbus/client` exports, and `/_/client.js`. Publishes and subscribes, in Node and in pages,
// with nothing but what these bring along. Runs in browsers.
//
// `client` is the face. A `subscription` is a queue that a `feed` fills: a connection that is kept up, over one of the
// transports (`multipart`, `sse`, `websocket`). `publish` posts. `access` is how the server is reached.

export { type ErrorCode, MsgbusError } from '../src/errors.ts'
export { type Client, type ClientOptions, connect, type SubscribeOptions } from './open-client.ts'
export type { ReceivedMessage } from './message.ts'
export type { PublishBody, Published, PublishOptions } from './publish.ts'
export type { SlowPolicy } from './stream.ts'
export type { Subscription, SubscriptionState } from './subscription.ts'
