// Sinks that lend their outlet to a lane: they are not asked any more, and whatever they do meanwhile, each batch reaches
// their reader once and in order.

import t from 'tap'
import { Bus, type Subscription } from '../../src/bus/bus.ts'
import type { Batch, Borrower, Outlet, Sink } from '../../src/bus/sink.ts'
import { Filter } from '../../src/filter.ts'
import { parseMatcher } from '../../src/matcher.ts'
import type { Message } from '../../src/message.ts'
import { atOnce } from '../at-once.ts'

const FILTER = new Filter()
const ENCODER = { encode: ({ body }: Message) => body }

/** Notes what its reader gets: in small letters what it wrote itself, in capitals what was written to its outlet. */
class Lender implements Sink {
  text = ''
  readonly #outlet: Outlet
  #borrower: Borrower | null = null

  /** @param fullAt What is too much for its outlet. */
  constructor(fullAt = '') {
    this.#outlet = {
      write: bytes => {
        const text = Buffer.from(bytes).toString('latin1')
        this.text += text.toUpperCase()
        return text !== fullAt
      },
    }
  }

  attach(borrower: Borrower): void {
    this.#borrower = borrower
  }

  detach(): void {
    this.onFull()
    this.#borrower = null
  }

  onFull(): void {
    this.#borrower?.withdraw(this, this.#outlet)
  }

  lend(): void {
    this.#borrower?.lend(this, this.#outlet)
  }

  /** Lends its outlet as soon as it has written something. */
  write({ bytes }: Batch): void {
    this.text += Buffer.from(bytes).toString('latin1')
    this.lend()
  }
}

function read(bus: Bus, sink: Sink): Subscription {
  return bus.subscribe({ matcher: parseMatcher('a'), filter: FILTER, encoder: ENCODER, sink })
}

/** Publishes, each message in a turn of its own. */
async function put(bus: Bus, texts: string): Promise<void> {
  for (const text of texts) {
    atOnce(bus.publish({ channel: 'a', type: 'text/plain', sender: null, body: Buffer.from(text) }))
    await new Promise(resolve => setImmediate(resolve))
  }
}

await t.test('a sink that lends its outlet is not asked again', async t => {
  const bus = new Bus()
  const [early, late] = [new Lender(), new Lender()]
  read(bus, early)
  read(bus, late)
  early.lend()
  await put(bus, 'abc')
  t.equal(early.text, 'ABC')
  t.equal(late.text, 'aBC', 'it lends while it is written to, and gets that batch once')
})

await t.test('a sink whose outlet is full is asked from the next batch on, until it lends again', async t => {
  const bus = new Bus()
  const [full, other] = [new Lender('b'), new Lender()]
  for (const sink of [full, other]) {
    read(bus, sink)
    sink.lend()
  }
  await put(bus, 'abcd')
  t.equal(full.text, 'ABcD')
  t.equal(other.text, 'ABCD')
})

await t.test('a sink that lends and withdraws before anything comes is asked', async t => {
  const bus = new Bus()
  const sink = new Lender()
  read(bus, sink)
  sink.lend()
  sink.onFull()
  await put(bus, 'a')
  t.equal(sink.text, 'a')
})

await t.test('nothing reaches an outlet after the end of the subscription', async t => {
  const bus = new Bus()
  const sinks = [new Lender(), new Lender(), new Lender()]
  const subscriptions = sinks.map(sink => read(bus, sink))
  sinks[0]?.lend()
  await put(bus, 'a')
  t.equal(bus.subscriberCounts().get('a'), 3)
  for (const subscription of subscriptions) subscription.close()
  t.equal(bus.subscriberCounts().get('a'), undefined)
  for (const sink of sinks) sink.lend()
  await put(bus, 'b')
  t.same(
    sinks.map(({ text }) => text),
    ['A', 'a', 'a'],
  )
})
