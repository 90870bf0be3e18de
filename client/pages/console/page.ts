// The live console: what the server counts, and the messages of the channel that somebody chose. It reads the same public
// URLs as everybody else and the statistics stream, over two connections at most.

import { isTree } from '../../../src/matcher.ts'
import { connect } from '../../index.ts'
import { addressOf, readView, type View } from './address.ts'
import { BusState } from './bus-state.ts'
import { ChannelList } from './channel-list.ts'
import { ChannelPanel } from './channel-panel.ts'
import { Commands } from './commands.ts'
import type { Server } from './curl.ts'
import { drawing, find, put } from './elements.ts'
import { Overview } from './overview.ts'
import { Publisher } from './publisher.ts'
import { readStatistics } from './statistics.ts'
import { Welcome } from './welcome.ts'

const server = readServer()
const client = connect(server.url, { isShared: false })
const bus = new BusState()
const overview = new Overview(bus, () => {
  openChannel('')
})
const list = new ChannelList(bus, openChannel)
const panel = new ChannelPanel(client, go)
const commands = new Commands(server)
const welcome = new Welcome(bus, server)
const publisher = new Publisher(client, updateCommands)

/** What the server says about itself in the page. */
function readServer(): Server {
  const { content } = find('server', HTMLMetaElement)
  const { prefix, hasPassword } = JSON.parse(content) as { prefix: string; hasPassword: boolean }
  return { url: ownUrl(prefix), hasPassword }
}

/** Not made of the whole address: there may be a password in it. */
function ownUrl(path: string): string {
  return new URL(path, `${location.origin}${location.pathname}`).href
}

function openChannel(channel: string): void {
  go({ channel, type: '', sender: '' })
}

function go(view: View | null): void {
  const address = addressOf(view)
  const before = readView()
  if (address === addressOf(before)) return
  // A filter that is being typed is no place to go back to.
  const isSameChannel = view !== null && view.channel === before?.channel
  history[isSameChannel ? 'replaceState' : 'pushState'](null, '', address)
  show()
}

function show(): void {
  const view = readView()
  panel.show(view)
  list.mark(view?.channel ?? null)
  overview.mark(view?.channel === '')
  if (view !== null) publisher.aim(isTree(view.channel) ? '' : view.channel)
  updateCommands()
  document.title = `${view === null ? '' : `${view.channel || 'The whole bus'} · `}msgbus console`
}

function updateCommands(): void {
  const view = readView()
  if (view === null) welcome.update(publisher.payload)
  else commands.update(view, publisher.payload)
}

const draw = drawing(() => {
  overview.update()
  list.update()
  welcome.update(publisher.payload)
})

addEventListener('popstate', show)
find('skip', HTMLButtonElement).addEventListener('click', () => {
  find('publishing', HTMLDetailsElement).querySelector('summary')?.focus()
})
show()
void readStatistics(ownUrl('stats'), {
  onLine: (line, isWhole) => {
    bus.apply(line, isWhole)
    draw()
  },
  onState: (words, isOpen) => {
    const state = find('state', HTMLElement)
    put(state, words)
    state.classList.toggle('good', isOpen)
  },
})
