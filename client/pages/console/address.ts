// What is shown stands in the address of the page, behind the `#`: it survives a reload, can be sent to somebody, and the
// button of the browser leads back.

/** What is shown. */
export interface View {
  /** A channel, `a/` for everything below `a`, or the empty string for the whole bus. */
  readonly channel: string
  /** Patterns; empty for no filter. */
  readonly type: string
  readonly sender: string
}

/** @returns null if nothing is chosen. */
export function readView(): View | null {
  const query = new URLSearchParams(location.hash.slice(1))
  const channel = query.get('channel')
  return channel === null
    ? null
    : { channel, type: query.get('type') ?? '', sender: query.get('sender') ?? '' }
}

export function addressOf(view: View | null): string {
  if (view === null) return '#'
  const { channel, type, sender } = view
  const query = new URLSearchParams({
    channel,
    ...(type === '' ? {} : { type }),
    ...(sender === '' ? {} : { sender }),
  })
  return `#${query.toString()}`
}
