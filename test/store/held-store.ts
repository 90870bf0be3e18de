// A store that keeps nothing until it is told to: whoever tests what happens meanwhile waits for `held` and says `release`. Not a
// test.

import { EventEmitter, once } from 'node:events'
import type { Draft, Message } from '../../src/message.ts'
import { LaterStore } from './later-store.ts'

export class HeldStore extends LaterStore {
  /** `held` comes with each call of `append`, which goes on with the next `release`. */
  readonly news = new EventEmitter()
  /** Thrown then, as long as it is set. */
  error: Error | null = null

  override async append(drafts: readonly Draft[]): Promise<readonly Message[]> {
    this.news.emit('held')
    await once(this.news, 'release')
    if (this.error !== null) throw this.error
    return super.append(drafts)
  }
}
