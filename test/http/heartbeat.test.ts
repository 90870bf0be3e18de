import t from 'tap'
import { Heartbeat } from '../../src/http/heartbeat.ts'

// Short enough for a test; what is asserted are orders and counts, never times.
const PERIOD_MS = 50

await t.test('everybody is reminded in turn', async t => {
  const heartbeat = new Heartbeat(PERIOD_MS)
  t.teardown(() => {
    heartbeat.close()
  })
  const beats: number[] = []
  await new Promise<void>(resolve => {
    for (let name = 0; name < 50; name++) {
      heartbeat.add({
        beat: () => {
          beats.push(name)
          if (beats.length === 100) resolve()
        },
      })
    }
    // The clock of a server that is otherwise done must not keep the process.
    const awake = setInterval(() => undefined, PERIOD_MS)
    t.teardown(() => {
      clearInterval(awake)
    })
  })
  const turn = Array.from({ length: 25 }, (_, slot) => [slot, slot + 25]).flat()
  t.strictSame(beats, [...turn, ...turn], 'two by two of fifty, over 25 ticks')
})

await t.test('who has left is not reminded, not even when leaving twice', async t => {
  const heartbeat = new Heartbeat(PERIOD_MS)
  t.teardown(() => {
    heartbeat.close()
  })
  const leave = heartbeat.add({
    beat: () => {
      t.fail('it has left')
    },
  })
  leave()
  leave()
  await new Promise<void>(resolve => {
    const awake = setInterval(() => undefined, PERIOD_MS)
    heartbeat.add({
      beat: () => {
        clearInterval(awake)
        resolve()
      },
    })
  })
})

await t.test('one that leaves when it is reminded does not cost another one its turn', async t => {
  const heartbeat = new Heartbeat(PERIOD_MS)
  t.teardown(() => {
    heartbeat.close()
  })
  const beats: string[] = []
  await new Promise<void>(resolve => {
    const awake = setInterval(() => undefined, PERIOD_MS)
    const leave = heartbeat.add({
      beat: () => {
        beats.push('first')
        leave()
      },
    })
    for (let slot = 1; slot < 25; slot++) heartbeat.add({ beat: () => undefined })
    heartbeat.add({
      beat: () => {
        if (beats.push('second') < 3) return
        clearInterval(awake)
        resolve()
      },
    })
  })
  t.strictSame(beats, ['first', 'second', 'second'])
})

await t.test('a closed one reminds nobody', async t => {
  const heartbeat = new Heartbeat(PERIOD_MS)
  heartbeat.add({
    beat: () => {
      t.fail('it is closed')
    },
  })
  heartbeat.close()
  heartbeat.close()
  const other = new Heartbeat(PERIOD_MS)
  t.teardown(() => {
    other.close()
  })
  await new Promise<void>(resolve => {
    const awake = setInterval(() => undefined, PERIOD_MS)
    other.add({
      beat: () => {
        clearInterval(awake)
        resolve()
      },
    })
  })
})
