import t from 'tap'
import {
  currentBoot,
  decodeState,
  encodeState,
  isNews,
  newEpoch,
  reasonForNewEpoch,
  type State,
} from '../../src/store/file/state.ts'

const STATE: State = {
  epoch: 'abc',
  lastSeq: 10,
  forgotten: { seq: 3, second: 2, ordinal: 1 },
  touchedSeq: 4,
  isClosed: false,
  isSynced: true,
  boot: currentBoot(),
}

const FOUND = { state: STATE, foundSeq: 10, acknowledgedSeq: 10, wasRepaired: false }

await t.test('a state is read as it was written, or not at all', t => {
  const bytes = encodeState(STATE)
  t.same(decodeState(bytes), STATE)
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at] = (damaged[at] ?? 0) ^ 1
    t.equal(decodeState(damaged), null)
    t.equal(decodeState(bytes.subarray(0, at)), null)
  }
  t.equal(decodeState(undefined), null)
  t.end()
})

await t.test('a state is news if it says more than another number', t => {
  t.notOk(isNews({ ...STATE, lastSeq: 11 }, STATE))
  for (const change of [
    { touchedSeq: 5 },
    { isClosed: true },
    ...['seq', 'second', 'ordinal'].map(name => ({ forgotten: { ...STATE.forgotten, [name]: 9 } })),
  ]) {
    t.ok(isNews({ ...STATE, ...change }, STATE), JSON.stringify(change))
  }
  t.end()
})

await t.test('numbers go on under their epoch as long as none can be given out twice', t => {
  for (const change of [
    {},
    { acknowledgedSeq: 0 },
    // It was written and not acknowledged any more, or has gone since.
    { foundSeq: 12 },
    { foundSeq: 4 },
    { state: { ...STATE, isClosed: true, isSynced: false, boot: 'another' } },
    { state: { ...STATE, isSynced: false } },
    { state: { ...STATE, boot: 'another' } },
    { state: null, foundSeq: 0, acknowledgedSeq: 0 },
    { state: null, foundSeq: 0, acknowledgedSeq: null },
  ]) {
    t.equal(reasonForNewEpoch({ ...FOUND, ...change }), null, JSON.stringify(change))
  }
  t.end()
})

await t.test('otherwise a new epoch begins, and it is said why', t => {
  for (const [change, reason] of [
    [{ acknowledgedSeq: 11 }, /acknowledged are not there/],
    [{ foundSeq: 11, acknowledgedSeq: 12 }, /acknowledged are not there/],
    [{ acknowledgedSeq: null }, /nothing says/],
    [{ state: null }, /state is not there/],
    [{ state: null, foundSeq: 0 }, /acknowledged are not there/],
    [{ wasRepaired: true }, /put together again/],
    [{ state: { ...STATE, isSynced: false, boot: 'another' } }, /not yet on disk/],
    [{ state: { ...STATE, isSynced: false, boot: null } }, /not yet on disk/],
  ] as const) {
    t.match(reasonForNewEpoch({ ...FOUND, ...change }), reason)
  }
  t.not(newEpoch(), newEpoch())
  t.match(newEpoch(), /^[0-9a-f]{12}$/)
  t.end()
})
