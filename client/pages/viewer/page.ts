// The viewer: a tab on a channel, for browsers that cannot replace a page part by part themselves. It reads the URL it
// was opened with and always shows the newest message.

import { connect, type ReceivedMessage, type SlowPolicy } from '../../index.ts'
import { type Rendering, renderBody } from '../../render.ts'

// Wherever the server is mounted, what the parts make together is the address of the tab again.
const [, base = '/', spelling = ''] = /^(.*?\/msgbus\/|\/[^/]*\/)(.*)/.exec(location.pathname) ?? []
const paths = spelling.split(',').map(decodeURIComponent)
const isWide = paths.length > 1 || spelling === '' || spelling.endsWith('/')
const channel = decodeURIComponent(spelling) || 'everything'
// A plus stays one, and of a repeated key the first counts, as for the server.
const pairs = location.search.slice(1).split('&').reverse()
const query = new Map(
  pairs.map(pair => [pair.replace(/=.*/, ''), decodeURIComponent(pair.replace(/^[^=]*=?/, ''))]),
)
let shown: Rendering | null = null
let count = 0

function put(id: string, text: string): void {
  const element = document.getElementById(id)
  if (element !== null) element.textContent = text
}

function show(message: ReceivedMessage): void {
  const next = renderBody(message, document)
  document.getElementById('body')?.replaceChildren(next.element)
  shown?.release()
  shown = next
  count += 1 + (message.lost ?? 0)
  const words = [
    `message ${count}`,
    ...(isWide ? [`on ${message.channel}`] : []),
    ...(message.sender === null ? [] : [`from ${message.sender}`]),
    message.type,
  ]
  put('details', words.join(' · '))
}

async function read(): Promise<void> {
  const messages = connect(new URL(base, location.href)).subscribe(paths, {
    type: query.get('type'),
    sender: query.get('sender'),
    since: query.get('since'),
    slow: query.get('slow') as SlowPolicy | undefined,
    onState: (state, error) => {
      if (state === 'open') put('state', 'connected')
      if (state === 'waiting') put('state', 'disconnected, trying again')
      if (state === 'closed') put('state', error?.message ?? 'disconnected')
    },
  })
  for await (const message of messages) show(message)
}

document.title = `${channel} · msgbus`
put('channel', channel)
void read()
