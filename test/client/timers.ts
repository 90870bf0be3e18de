// Timers of the client in the hand of a test: nobody waits for them, and what was asked for can be looked at. Not a test.

import type { Test } from 'tap'

export interface HeldTimers {
  /** Lets all of them go off that wait now. */
  fire(): void
}

/** Holds every timer of exactly this many milliseconds, until the test is over. */
export function holdTimers(t: Test, heldMs: number): HeldTimers {
  const { setTimeout, clearTimeout } = globalThis
  const held = new Map<unknown, () => void>()
  t.teardown(() => Object.assign(globalThis, { setTimeout, clearTimeout }))
  Object.assign(globalThis, {
    setTimeout: (act: () => void, ms?: number, ...values: unknown[]) => {
      if (ms !== heldMs) return setTimeout(act, ms, ...(values as []))
      const timer = {}
      held.set(timer, act)
      return timer
    },
    clearTimeout: (timer: NodeJS.Timeout) => {
      if (!held.delete(timer)) clearTimeout(timer)
    },
  })
  return {
    fire: () => {
      for (const [timer, act] of [...held]) {
        held.delete(timer)
        act()
      }
    },
  }
}

/** Has every timer of at least `minMs` go off at once, and returns the delays that were asked for. */
export function hurryTimers(t: Test, minMs: number): readonly number[] {
  const { setTimeout } = globalThis
  const delaysMs: number[] = []
  t.teardown(() => Object.assign(globalThis, { setTimeout }))
  Object.assign(globalThis, {
    setTimeout: (act: () => void, ms = 0, ...values: unknown[]) => {
      // That of the silence of a server is not what is hurried.
      if (ms < minMs || ms === 90_000) return setTimeout(act, ms, ...(values as []))
      delaysMs.push(ms)
      return setTimeout(act, 0, ...(values as []))
    },
  })
  return delaysMs
}
