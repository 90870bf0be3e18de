// What a server has to have to be measured beside the others: a way to start it, and the bytes that its clients say. Each
// server's own are in a file of their own. Interface only.

import type { ServerProcess } from '../process.ts'

/** The bytes that clients of a server say, and how their answers are read. */
export interface Wire {
  /** What a subscriber sends once it is connected. */
  subscribe(channel: string): Buffer
  /** Ends what the server says to that: from here on there are messages. Searched in the answer, one byte per character. */
  readonly subscribed: string
  /** What a publisher sends once it is connected, with how many acknowledgements that has; empty for nothing. */
  readonly greeting: { readonly bytes: Buffer; readonly answerCount: number }
  /** One message, one acknowledgement. */
  publish(channel: string, body: Buffer): Buffer
  /** One acknowledgement. Global and without a beginning or an end, one byte per character. */
  readonly acknowledgement: RegExp
  /** Many messages in one request with one acknowledgement; null for a server that has no such thing. */
  readonly stream: {
    begin(channel: string): Buffer
    part(body: Buffer): Buffer
    readonly end: Buffer
  } | null
}

export interface StartOptions {
  /** A folder of its own. */
  readonly folder: string
  /** PEM file with certificate and key, for TLS on the port; null for plain TCP. */
  readonly pemFile: string | null
}

export interface Contender {
  readonly name: string
  /** What is to be found on the path, and the Debian package that brings it; null for what is part of this repository. */
  readonly needs: { readonly program: string; readonly packages: readonly string[] } | null
  readonly speaksTls: boolean
  /** Keys of the workloads that it is for; all by default. */
  readonly only?: readonly string[]
  readonly wire: Wire
  /** Rejects if it does not listen within some seconds. */
  start(options: StartOptions): Promise<ServerProcess>
}
