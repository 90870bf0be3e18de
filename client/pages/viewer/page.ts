// The viewer: a tab on a channel, for browsers that cannot replace a page part by part themselves. It reads the URL it
// was opened with and always shows the newest message.

import { follow } from '../../follow.ts'
import { type Rendering, renderBody } from '../../render.ts'
import type { ReceivedMessage } from '../../stream.ts'

const channel = decodeURIComponent(location.pathname.replace(/^\/msgbus\//, '')) || 'everything'
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
  count += 1 + message.skippedCount
  const words = [
    `message ${count}`,
    ...(message.channel === null ? [] : [`on ${message.channel}`]),
    ...(message.sender === null ? [] : [`from ${message.sender}`]),
    message.type,
  ]
  put('details', words.join(' · '))
}

document.title = `${channel} · msgbus`
put('channel', channel)
// Of a repeated key the first counts: whatever the tab asked for, this is the program's form.
void follow(`${location.pathname}?as=multipart&${location.search.slice(1)}`, {
  onMessage: show,
  onState: state => {
    put('state', state)
  },
  signal: new AbortController().signal,
})
