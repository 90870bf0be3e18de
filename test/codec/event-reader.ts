// Server-sent events as the standard reads them [WHATWG HTML §9.2.6], in the plainest way: a whole stream at once, for
// tests. Not a test.

export interface ReadEvent {
  readonly type: string
  readonly data: string
  readonly lastEventId: string
}

export interface ReadStream {
  readonly events: readonly ReadEvent[]
  /** Of the last `retry` field, null without one. */
  readonly retryMs: number | null
}

/** Reads a stream up to its end. What is not ended by an empty line is no event. */
export function readEvents(bytes: Uint8Array): ReadStream {
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\n|\r/)
  const events: ReadEvent[] = []
  let retryMs: number | null = null
  let lastEventId = ''
  let type = ''
  let data = ''
  // The last one is not ended.
  for (const line of lines.slice(0, -1)) {
    const [, field = '', value = ''] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line) ?? []
    if (line === '') {
      if (data !== '') events.push({ type: type || 'message', data: data.slice(0, -1), lastEventId })
      type = ''
      data = ''
    } else if (field === 'event') type = value
    else if (field === 'data') data += `${value}\n`
    else if (field === 'id' && !value.includes('\0')) lastEventId = value
    else if (field === 'retry' && /^\d+$/.test(value)) retryMs = Number(value)
  }
  return { events, retryMs }
}
