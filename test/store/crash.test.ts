// What survives a process that ends without a word: it is killed while it publishes, at random moments. More of them:
// `npm run crash -- 2000`.

import t from 'tap'
import { Victim } from './killing.ts'

const KILLS = Number(process.env.MSGBUS_KILLS ?? 200)
const LANES = 2
// So many deaths of one store, before another takes its place.
const LIVES = 10
const MAX_DELAY_MS = 60

t.setTimeout(KILLS * 2_000)

await t.test(`nothing acknowledged is lost, doubled, changed or reordered by ${KILLS} kills`, async t => {
  const root = t.testdir()
  let left = KILLS
  let messageCount = 0
  const lane = async (name: number): Promise<void> => {
    for (let life = 0; left > 0; life++) {
      const victim = new Victim(`${root}/${name}-${life}`, { writeBufferBytes: 2 ** (18 + (life % 4)) })
      for (let death = 0; death < LIVES && left > 0; death++) {
        left--
        await victim.killOnce([1, 4, 64][death % 3] ?? 1, Math.random() * MAX_DELAY_MS)
      }
      messageCount += victim.messageCount
    }
  }
  await Promise.all(Array.from({ length: LANES }, (_, name) => lane(name)))
  t.ok(messageCount > KILLS, `${messageCount} messages are where they were`)
})
