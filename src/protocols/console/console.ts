// The live console: the page at `/_/`, the client library that it and any other page of this origin may import, and the
// statistics stream. It reads nothing of the bus but numbers: messages come to the page as to everybody else.

import { readdirSync, readFileSync } from 'node:fs'
import { MsgbusError } from '../../errors.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { Protocol } from '../protocol.ts'
import { loadPage, type PageOptions } from './page.ts'
import { Statistics, type StatisticsOptions } from './statistics.ts'

export interface ConsoleOptions extends StatisticsOptions, PageOptions {}

type Answer = (exchange: Exchange) => Promise<void> | void

const METHODS = 'GET, HEAD, OPTIONS'

export function createConsole(options: ConsoleOptions): Protocol {
  const page = loadPage(options)
  const statistics = new Statistics(options)
  const answers = new Map<string, Answer>(loadLibrary())
  answers.set('stats', exchange => statistics.answer(exchange))
  answers.set('', exchange => {
    exchange.page(page.html, page.contentSecurityPolicy)
  })
  return {
    handle: async (exchange, rest) => {
      const answer = answers.get(rest)
      if (answer === undefined) throw new MsgbusError('MSGBUS_NOT_FOUND', 'There is nothing at this address')
      switch (exchange.method) {
        case 'GET':
        case 'HEAD':
          return answer(exchange)
        case 'OPTIONS':
          exchange.answer(204, ['Allow', METHODS])
          return
        default:
          refuseMethod(exchange)
      }
    },
  }
}

/**
 * The client library: `client.js`, and what that loads by itself.
 * @throws {Error} if the build has not made it.
 */
function loadLibrary(): [name: string, answer: Answer][] {
  const folder = new URL('../../../client/', import.meta.url)
  const names = readdirSync(folder).filter(name => /^client(?:-[\w-]+)?\.js$/.test(name))
  if (!names.includes('client.js')) throw new Error(`Cannot find "client.js" in ${folder.pathname}`)
  return names.map(name => {
    const script = readFileSync(new URL(name, folder))
    return [
      name,
      exchange => {
        exchange.send(200, ['Content-Type', 'text/javascript; charset=utf-8'], script)
      },
    ]
  })
}

// Not thrown: the list of methods that goes with such an error is that of a channel.
function refuseMethod(exchange: Exchange): void {
  const text = 'MSGBUS_METHOD_NOT_ALLOWED: The console can only be read: use GET or HEAD'
  // A body may be on its way that nobody will read.
  exchange.answer(405, ['Allow', METHODS, 'Connection', 'close'], text)
}
