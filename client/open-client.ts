// The client: publishes to a server and subscribes to its channels, and closes all that it opened. Runs in browsers.

import { MsgbusError } from '../src/errors.ts'
import { encodePath, pageUrl, readAddress } from './access.ts'
import { createFeed, type Feed } from './feed.ts'
import { openMultipart } from './multipart.ts'
import { post, type Publish, type PublishBody, type Published, type PublishOptions } from './publish.ts'
import type { OpenStream, SlowPolicy } from './stream.ts'
import { createQueue, type Subscription, type SubscriptionState } from './subscription.ts'
import { tools } from './tools.ts'

export interface ClientOptions {
  /** How messages are read. Default: `multipart`. */
  readonly transport?: 'multipart' | 'sse' | 'websocket' | undefined
  /** Whether all subscriptions share one connection. Default: in a page, where six per server are all there is. */
  readonly isShared?: boolean | undefined
  /** In place of the global one. */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** A class in place of the global one, as of the package `ws`; Node has one from version 22 on. */
  readonly WebSocket?: (new (url: string) => object) | undefined
  /** Pause before the first attempt to connect again; each next one is twice as long. Default: 500. */
  readonly minDelayMs?: number | undefined
  /** The longest pause. Default: 10,000. */
  readonly maxDelayMs?: number | undefined
  /** The longest message that is taken. Default: 64 MiB. */
  readonly maxBodyBytes?: number | undefined
}

export interface SubscribeOptions {
  /** Patterns of media types, as `image/*,!image/svg+xml`. */
  readonly type?: string | undefined
  /** Patterns of senders. */
  readonly sender?: string | undefined
  /** Where to begin: an id, a time, `10m`, `-5` for the last five messages, `all`. Default: what comes from now on. */
  readonly since?: string | undefined
  /** What is lost when this reader is too slow. Default: the server's, which is `drop` */
  readonly slow?: SlowPolicy | undefined
  /** Closes the subscription when aborted. */
  readonly signal?: AbortSignal | undefined
  /** Called with each new state; with the reason if it is `waiting`, or `closed` by an error. */
  readonly onState?: ((state: SubscriptionState, error: MsgbusError | null) => void) | undefined
  /** False to end, by an error or in good order, as soon as the stream ends. Default: true. */
  readonly reconnects?: boolean | undefined
}

/** A server, and what this program has open there. */
export interface Client {
  /**
   * Publishes one message, and resolves when the server has accepted it.
   * @param channel One name, not encoded.
   * @throws {MsgbusError} `MSGBUS_UNREACHABLE`, `MSGBUS_NOT_MSGBUS`, `MSGBUS_REFUSED` or the server's own code.
   */
  publish(channel: string, body: PublishBody, options?: PublishOptions): Promise<Published>
  /**
   * Subscribes, and connects at once. Errors come from the iterator.
   * @param channel Not encoded: `a/b`, `a/` for everything below, `a,b` for both, nothing for everything. In a list, a
   *   comma is part of a name.
   */
  subscribe(channel: string | readonly string[], options?: SubscribeOptions): Subscription
  /** Ends all subscriptions and gives up what is being published. Twice is allowed. */
  readonly close: () => void
}

/**
 * Makes a client. Nothing is sent until it is used.
 * @param address The server, or any URL below `/msgbus/` of it; in a page its own origin by default, elsewhere
 *   `http://127.0.0.1:8888`. A user and password in it become Basic credentials.
 * @throws {TypeError} For an address that is no `http:` or `https:` URL.
 */
export function connect(address?: string | URL, options: ClientOptions = {}): Client {
  const {
    transport = 'multipart',
    fetch = globalThis.fetch,
    WebSocket,
    isShared = pageUrl() !== undefined,
    minDelayMs = 500,
    maxDelayMs = 10_000,
    maxBodyBytes = 64 * 1024 * 1024,
  } = options
  const access = { ...readAddress(address), fetch, WebSocket, maxBodyBytes }
  const subscriptions = new Set<Subscription>()
  const controller = new AbortController()
  const closing = controller.signal
  let shared: Feed | null = null
  let publisher: Promise<Publish> | null = null

  const open: OpenStream =
    transport === 'multipart'
      ? openMultipart
      : async (...request) => (await import('./on-demand.ts'))[transport](tools, ...request)

  function openFeed(): Feed {
    const feed = createFeed({
      ...{ access, open, minDelayMs, maxDelayMs },
      onSplit: member => {
        // Full, perhaps: who comes next is better off with the newer one.
        shared = openFeed()
        shared.add(member)
      },
      onEmpty: () => {
        if (shared === feed) shared = null
      },
    })
    return feed
  }

  return {
    async publish(channel, body, { signal = closing, ...more } = {}) {
      closing.throwIfAborted()
      const options = { ...more, signal: AbortSignal.any([closing, signal]) }
      // A socket has one sender for all that goes over it.
      if (transport !== 'websocket' || more.sender !== undefined) return post(access, channel, body, options)
      publisher ??= import('./on-demand.ts').then(({ createPublisher }) =>
        createPublisher(tools, access, closing),
      )
      return (await publisher)(channel, body, options)
    },

    subscribe(channel, { type, sender, slow, since = null, signal, reconnects = true, onState } = {}) {
      closing.throwIfAborted()
      const paths = [...new Set(typeof channel === 'string' ? channel.split(',') : channel)].sort()
      const queue = createQueue({
        request: { paths, type, sender, slow, since },
        reconnects,
        onState: onState ?? (() => undefined),
        onClose: () => {
          signal?.removeEventListener('abort', queue.close)
          subscriptions.delete(queue)
        },
      })
      subscriptions.add(queue)
      signal?.addEventListener('abort', queue.close)
      try {
        paths.map(encodePath)
      } catch (error) {
        queue.finish(error)
      }
      if (signal?.aborted === true) queue.close()
      if (queue.state === 'closed') return queue
      // How a connection lags and ends can be chosen for one subscription only.
      if (isShared && slow === undefined && reconnects) (shared ??= openFeed()).add(queue)
      else openFeed().add(queue)
      return queue
    },

    close() {
      for (const subscription of subscriptions) subscription.close()
      controller.abort(new MsgbusError('MSGBUS_CLOSED', 'This client was closed'))
    },
  }
}
