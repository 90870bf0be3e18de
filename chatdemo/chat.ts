// The chat page: everybody who has it open sees what is published to its channel, by this page or by anything else.
// The channel is `chatdemo`, or what stands behind `#` in the address.

import { follow } from '../client/follow.ts'
import { renderBody } from '../client/render.ts'
import type { ReceivedMessage } from '../client/stream.ts'

const MAX_SHOWN = 500

const room = roomOf(location.hash.slice(1)) || 'chatdemo'
const url = `/msgbus/${room.split('/').map(encodeURIComponent).join('/')}`
const releases: (() => void)[] = []

const messages = find('messages', HTMLElement)
const name = find('name', HTMLInputElement)
const text = find('text', HTMLInputElement)

function find<Element extends HTMLElement>(id: string, kind: new () => Element): Element {
  const element = document.getElementById(id)
  if (!(element instanceof kind)) throw new TypeError(`Cannot find "${id}" in the page`)
  return element
}

function roomOf(spelling: string): string {
  try {
    return decodeURIComponent(spelling)
  } catch {
    // Not an escape: somebody typed a percent sign.
    return spelling
  }
}

function put(id: string, words: string): void {
  find(id, HTMLElement).textContent = words
}

function show(message: ReceivedMessage): void {
  const isAtEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 40
  const entry = document.createElement('article')
  const about = document.createElement('div')
  about.className = 'about'
  const sender = document.createElement('b')
  sender.textContent = message.sender ?? 'anonymous'
  about.append(sender, ` ${new Date().toLocaleTimeString()}`)
  const rendering = renderBody(message, document)
  entry.append(about, rendering.element)
  messages.append(entry)
  releases.push(() => {
    rendering.release()
  })
  if (messages.childElementCount > MAX_SHOWN) {
    messages.firstElementChild?.remove()
    releases.shift()?.()
  }
  if (isAtEnd) messages.scrollTop = messages.scrollHeight
}

async function publish(body: string | Blob, type: string): Promise<void> {
  const named = name.value === '' ? {} : { Authorization: `Basic ${btoa(`${name.value}:`)}` }
  let answer = await post(body, { 'Content-Type': type, ...named })
  // A server with a password knows its visitors by the name they logged in with.
  if (answer.status === 401 && name.value !== '') answer = await post(body, { 'Content-Type': type })
  if (!answer.ok) throw new Error(await answer.text())
}

function post(body: string | Blob, headers: Record<string, string>): Promise<Response> {
  return fetch(url, { method: 'POST', headers, body })
}

function send(body: string | Blob, type: string): Promise<boolean> {
  return publish(body, type).then(
    () => {
      put('notice', '')
      return true
    },
    (error: unknown) => {
      put('notice', `not sent: ${error instanceof Error ? error.message : String(error)}`)
      return false
    },
  )
}

find('composer', HTMLFormElement).addEventListener('submit', event => {
  event.preventDefault()
  if (text.value === '') return
  const line = text.value
  text.value = ''
  void send(line, 'text/plain; charset=utf-8').then(isSent => {
    if (!isSent && text.value === '') text.value = line
  })
})

document.addEventListener('dragover', event => {
  event.preventDefault()
})
document.addEventListener('drop', event => {
  event.preventDefault()
  for (const file of event.dataTransfer?.files ?? []) void send(file, file.type || 'application/octet-stream')
})

// Another room is another page: nothing of this one has to be taken down.
addEventListener('hashchange', () => {
  location.reload()
})

put('room', room)
void follow(url, {
  onMessage: show,
  onState: state => {
    put('state', state)
  },
  signal: new AbortController().signal,
})
