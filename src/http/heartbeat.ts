// One clock for the heartbeats of all streams. It spreads them over the period, so that ten thousand idle streams are
// a trickle of writes and not a burst.

/** Something that wants to be reminded twice a period. */
export interface Beating {
  beat(): void
}

const SLOT_COUNT = 25

export class Heartbeat {
  readonly #slots: readonly Set<Beating>[] = Array.from({ length: SLOT_COUNT }, () => new Set<Beating>())
  readonly #clock: NodeJS.Timeout
  #tick = 0
  #added = 0

  constructor(periodMs: number) {
    this.#clock = setInterval(
      () => {
        for (const beating of this.#slot(this.#tick++)) beating.beat()
      },
      periodMs / 2 / SLOT_COUNT,
    )
    this.#clock.unref()
  }

  /** @returns A function that ends it. */
  add(beating: Beating): () => void {
    const slot = this.#slot(this.#added++)
    slot.add(beating)
    return () => slot.delete(beating)
  }

  close(): void {
    clearInterval(this.#clock)
  }

  #slot(number: number): Set<Beating> {
    const slot = this.#slots[number % SLOT_COUNT]
    if (slot === undefined) throw new RangeError(`Cannot find heartbeat slot ${number}`)
    return slot
  }
}
