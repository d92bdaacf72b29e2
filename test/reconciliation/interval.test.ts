import { expect, test } from 'vitest';
import { countingOf } from '../../src/reconciliation/interval.ts';
import { judge } from '../../src/reconciliation/judge.ts';
import { COUNTERS } from '../../src/reconciliation/lines.ts';
import type { Ending, Left, Process } from '../../src/reconciliation/observation.ts';
import type { Snapshot, SnapshotProcess } from '../../src/reconciliation/snapshot.ts';
import { NONE, revoked } from './ledgers.ts';

const counts = (count: number) => ({
  ...Object.fromEntries(COUNTERS.map(({ what }) => [what, 0])),
  revoked: count,
});
const ending = (state: Ending['state']): Ending => ({
  lastScrape: new Date(0),
  goneBy: new Date(1000),
  state,
});
const process = (id: string, count: number, state?: Ending['state']): Process => ({
  id,
  startedAt: 1,
  instance: 'here',
  counts: counts(count),
  gauges: {},
  ended: state ? ending(state) : null,
});
const then = (id: string, count: number, more: Partial<SnapshotProcess> = {}): SnapshotProcess => ({
  id,
  startedAt: 1,
  instance: 'here',
  counts: counts(count),
  ...more,
});
const snapshot = (rows: number, processes: readonly SnapshotProcess[], left = 0): Snapshot => ({
  version: 1,
  takenAt: new Date(0).toISOString(),
  least: revoked(rows),
  most: revoked(rows),
  left: counts(left),
  processes,
});
const left = (count: number, ...ids: string[]): Left => ({
  counts: counts(count),
  processes: ids.map((id) => ({ id, startedAt: 1 })),
});

/** The verdict about `revoked`, and how many processes ended without a last count. */
function compare(observed: readonly Process[], rows: number, of: Left, since: Snapshot | null) {
  const counting = countingOf(observed, of, since);
  const seen = { least: revoked(rows), most: revoked(rows), recent: [NONE] };
  const found = judge({ ...seen, ...counting }, NONE).find(({ what }) => what === 'revoked');
  return [found?.verdict, counting.processes.filter(({ ended }) => ended).length];
}

test('a process that left its counts counts by them, and not by its last scrape', () => {
  expect(compare([process('a', 3, 'gone'), process('b', 2)], 7, left(5, 'a'), null)).toEqual(['equal', 0]);
  // Of one that was scraped after it had left them, too.
  expect(compare([process('a', 5), process('b', 2)], 7, left(5, 'a'), null)).toEqual(['equal', 0]);
  // An id that was set by hand: another process has it now.
  expect(compare([{ ...process('a', 2), startedAt: 2 }], 7, left(5, 'a'), null)).toEqual(['equal', 0]);
});

test('since a snapshot: a process that left its counts after it, one that had left them, one that was lost', () => {
  const since = snapshot(10, [then('a', 3), then('b', 2)], 5);
  expect(compare([process('b', 4)], 16, left(12, 'old', 'a'), since)).toEqual(['equal', 0]);
  expect(compare([process('a', 3), process('b', 2)], 10, left(5, 'old'), since)).toEqual(['equal', 0]);
  expect(compare([process('b', 4)], 12, left(5, 'old'), since)).toEqual(['equal', 1]);
  expect(compare([process('b', 4)], 13, left(5, 'old'), since)).toEqual(['differs', 1]);
});

test('a replica whose snapshot fell into a freeze counts when it is back', () => {
  const since = snapshot(10, [then('a', 5), then('b', 5, { ended: true, uncounted: revoked(0) })]);
  expect(compare([process('a', 6), process('b', 8)], 14, left(0), since)).toEqual(['equal', 0]);
  expect(compare([process('a', 6), process('b', 8)], 15, left(0), since)).toEqual(['differs', 0]);
  // It has never come back: nothing of it belongs to the interval.
  expect(compare([process('a', 6)], 11, left(0), since)).toEqual(['equal', 0]);
  expect(compare([process('a', 6), process('b', 5, 'gone')], 11, left(0), since)).toEqual(['equal', 0]);
  // It has ended in order meanwhile.
  expect(compare([process('a', 6)], 14, left(8, 'b'), since)).toEqual(['equal', 0]);
});

test('what it had done between its last scrape and the freeze may be counted when it is back, and no more', () => {
  const since = snapshot(12, [then('a', 5), then('b', 5, { ended: true, uncounted: revoked(2) })]);
  // Two of its rows were there at the snapshot, and in no count.
  expect(compare([process('a', 6), process('b', 9)], 15, left(0), since)).toEqual(['equal', 0]);
  expect(compare([process('a', 6), process('b', 10)], 15, left(0), since)).toEqual(['differs', 0]);
});
