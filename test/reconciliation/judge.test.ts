import { expect, test } from 'vitest';
import { judge } from '../../src/reconciliation/judge.ts';
import { COUNTERS, GAUGES } from '../../src/reconciliation/lines.ts';
import type { Process } from '../../src/reconciliation/observation.ts';
import type { Snapshot } from '../../src/reconciliation/snapshot.ts';
import { NONE, revoked } from './ledgers.ts';

const ENDED = { lastScrape: new Date(0), goneBy: new Date(1000), state: 'gone' } as const;

const process = (id: string, count: number, ended: Process['ended'] = null): Process => ({
  id,
  startedAt: 1,
  instance: 'here',
  counts: { ...Object.fromEntries(COUNTERS.map(({ what }) => [what, 0])), revoked: count },
  gauges: Object.fromEntries(GAUGES.map(({ what }) => [what, 0])),
  ended,
});

/** The verdict about `revoked`. */
const verdict = (
  counts: readonly Process[],
  [least, most]: readonly [number, number],
  {
    uncounted = 0,
    since = null,
    left = {},
  }: { uncounted?: number; since?: Snapshot | null; left?: Record<string, number> } = {},
) =>
  judge(
    { processes: counts, left, least: revoked(least), most: revoked(most), recent: [NONE], since },
    revoked(uncounted),
  ).find(({ what }) => what === 'revoked')?.verdict;

test('counts of all processes together are what the rows say', () => {
  expect(verdict([process('a', 3), process('b', 4)], [7, 7])).toBe('equal');
  expect(verdict([process('a', 3), process('b', 4)], [8, 8])).toBe('differs');
  expect(verdict([process('a', 3), process('b', 4)], [6, 6])).toBe('differs');
});

test('what processes have left at their ends counts with those that live', () => {
  expect(verdict([process('a', 3)], [7, 7], { left: { revoked: 4 } })).toBe('equal');
  expect(verdict([process('a', 3)], [8, 8], { left: { revoked: 4 } })).toBe('differs');
});

test('while the service works, counts lie between the rows before and after', () => {
  expect(verdict([process('a', 7)], [6, 9])).toBe('equal');
  expect(verdict([process('a', 5)], [6, 9])).toBe('differs');
  expect(verdict([process('a', 10)], [6, 9])).toBe('differs');
});

test('a process that has ended explains as many as it may have done, and never counts that have no rows', () => {
  const killed = [process('a', 3), process('b', 4, ENDED)];
  expect(verdict(killed, [9, 9], { uncounted: 2 })).toBe('explained');
  expect(verdict(killed, [10, 10], { uncounted: 2 })).toBe('differs');
  expect(verdict(killed, [6, 6], { uncounted: 2 })).toBe('differs');
});

test('since a snapshot only what came later is compared', () => {
  const { id, instance, counts } = process('a', 3);
  const since: Snapshot = {
    version: 1,
    takenAt: new Date(0).toISOString(),
    least: revoked(100),
    most: revoked(101),
    past: [],
    processes: [{ id, instance, counts }],
  };
  expect(verdict([process('a', 5)], [103, 103], { since })).toBe('equal');
  expect(verdict([process('a', 6)], [103, 103], { since })).toBe('equal');
  expect(verdict([process('a', 7)], [103, 103], { since })).toBe('differs');
});

test('every living process must report a gauge as the database had it; one that leaves it out is wrong', () => {
  const active = (counts: readonly Process[], ...recent: number[]) =>
    judge(
      {
        processes: counts,
        left: {},
        least: NONE,
        most: NONE,
        recent: recent.map((count) => ({ ...NONE, active: count })),
        since: null,
      },
      NONE,
    ).find(({ what }) => what === 'active grants');
  const gauge = (value: number | undefined): Process => ({
    ...process('a', 0),
    gauges: { ...process('a', 0).gauges, 'active grants': value },
  });
  expect(active([gauge(5), gauge(6)], 5, 6)?.verdict).toBe('equal');
  expect(active([gauge(5), gauge(7)], 5, 6)).toMatchObject({ verdict: 'differs', counted: 7 });
  expect(active([gauge(5), gauge(undefined)], 5)).toMatchObject({ verdict: 'differs', counted: null });
  expect(active([process('a', 0, ENDED)], 5)?.verdict).toBe('unknown');
});
