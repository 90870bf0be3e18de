// The transports that are loaded only when one is asked for, each under the name that it is asked for by.
// Runs in browsers.

export { openSse as sse } from './sse.ts'
export { openWebSocket as websocket } from './websocket.ts'
