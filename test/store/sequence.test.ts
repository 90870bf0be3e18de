import t from 'tap'
import { Sequence } from '../../src/store/sequence.ts'
import type { KeptMessage } from '../../src/store/store.ts'

function message(seq: number): KeptMessage {
  return {
    ...{ id: `a-${seq}`, seq, channel: 'c', time: seq * 10, ordinal: 0, type: 'text/plain', sender: null },
    body: { length: 0 },
  }
}

/** Numbers of all messages, found place by place. */
function seqsOf(sequence: Sequence<KeptMessage>): number[] {
  const seqs: number[] = []
  for (let place = sequence.placeAfter(0); place < sequence.end; place++) {
    const found = sequence.at(place)
    if (found !== undefined) seqs.push(found.seq)
  }
  return seqs
}

// Reproducible, so that a failure can be looked at again.
function randoms(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

await t.test('whatever is taken out, the rest stays in order and is found', t => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = randoms(seed)
    const sequence = new Sequence<KeptMessage>()
    let kept: number[] = []
    let seq = 0
    for (let step = 0; step < 400; step++) {
      if (random(5) < 3) {
        // Numbers may be left out.
        seq += 1 + random(3)
        sequence.push(message(seq))
        kept.push(seq)
      } else {
        // From the front, from anywhere, or what is not there.
        const gone = random(2) === 0 ? (kept[0] ?? 1) : 1 + random(seq + 1)
        sequence.remove(gone)
        kept = kept.filter(other => other !== gone)
      }
      if (step % 20 > 0) continue
      const wanted = random(seq + 2)
      const name = `seed ${seed}, step ${step}`
      t.strictSame(seqsOf(sequence), kept, name)
      t.equal(sequence.first?.seq, kept[0], name)
      const place = sequence.placeAfter(wanted)
      t.notOk(sequence.seqAt(place) <= wanted, name)
      t.ok(place === 0 || !(sequence.seqAt(place - 1) > wanted) || place <= sequence.placeAfter(0), name)
      t.equal(
        sequence.firstFrom(wanted * 10)?.seq,
        kept.find(other => other >= wanted),
        name,
      )
    }
  }
  t.end()
})

await t.test('what was taken out does not stay in memory', t => {
  const sequence = new Sequence<KeptMessage>()
  for (let seq = 1; seq <= 100_000; seq++) {
    sequence.push(message(seq))
    if (seq > 100) sequence.remove(seq - 50)
  }
  t.equal(seqsOf(sequence).length, 100)
  t.ok(sequence.end < 300, `${sequence.end} places`)
  sequence.clear()
  t.equal(sequence.first, undefined)
  t.equal(sequence.end, 0)
  t.end()
})
