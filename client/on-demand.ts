// What is loaded only when a transport is asked for that is not the usual one: to read with, each under the name that it
// is asked for by, and to publish with.
// Runs in browsers.

export { openSse as sse } from './sse.ts'
export { createPublisher } from './socket-publisher.ts'
export { openWebSocket as websocket } from './websocket.ts'
