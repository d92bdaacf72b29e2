import { type Counts, isSame, type Left, type Process } from './observation.ts';
import type { Snapshot, SnapshotProcess } from './snapshot.ts';
import type { Ledger, Totals } from './store.ts';

/** What has counted within an interval. */
export interface Counting {
  /** Without those that have left their counts in the database. */
  readonly processes: readonly Process[];
  /** What those have left. */
  readonly left: Counts;
  /** What is to be subtracted; null: the interval began when the database was new. */
  readonly since: Snapshot | null;
}

/** What counts of what was observed. The counts that a process has left are exact, and those of its last scrape are not. */
export function countingOf(observed: readonly Process[], left: Left, since: Snapshot | null): Counting {
  const hasLeft = ({ id, startedAt = null }: Pick<SnapshotProcess, 'id' | 'startedAt'>) =>
    startedAt !== null && left.processes.some((one) => isSame(one, { id, startedAt }));
  const others = observed.filter((process) => !hasLeft(process));
  if (since === null) return { processes: others, left: left.counts, since };

  const before = (process: Process) =>
    since.processes.find(({ id, startedAt = null }) => isSame(process, { id, startedAt }));
  // Of a release that does not tell its start, an id that was set by hand outlives its process. Counters never fall.
  const isAnother = (process: Process) =>
    Object.entries(before(process)?.counts ?? {}).some(
      ([what, count]) => (process.counts[what] ?? 0) < count,
    );
  const present = others
    .filter(({ id }) => !since.past?.includes(id))
    .map((process) => (isAnother(process) ? { ...process, id: `${process.id}#again` } : process));

  /** It had ended by then, and nothing has come since. */
  const isOver = (one: SnapshotProcess) => {
    const now = present.find((process) => before(process) === one);
    return one.ended === true && !hasLeft(one) && (!now || (now.ended !== null && !hasMore(now, one)));
  };
  const over = new Set(since.processes.filter(isOver));
  const isPresent = (one: SnapshotProcess) =>
    hasLeft(one) || present.some((process) => before(process) === one);
  // What ran at the snapshot and is nowhere now has ended since, at an unknown time.
  const lost = since.processes
    .filter((one) => !over.has(one) && !isPresent(one))
    .map(
      ({ id, startedAt = null, instance, counts }): Process => ({
        id,
        startedAt,
        instance,
        counts,
        gauges: {},
        ended: { lastScrape: new Date(since.takenAt), goneBy: new Date(), state: 'gone' },
      }),
    );
  const running = present.filter((process) => {
    const one = before(process);
    return !one || !over.has(one);
  });
  const base = since.processes.filter((one) => !over.has(one));
  return {
    processes: [...running, ...lost],
    left: left.counts,
    since: { ...since, processes: base, least: base.reduce(withoutUncounted, since.least) },
  };
}

const hasMore = ({ counts }: Process, one: SnapshotProcess): boolean =>
  Object.entries(counts).some(([what, count]) => count > (one.counts[what] ?? 0));

/**
 * A process that seemed to have ended and is back: what it had done after its last scrape was in the rows of the snapshot, and is
 * in no count of it.
 */
function withoutUncounted(least: Ledger, { uncounted }: SnapshotProcess): Ledger {
  if (!uncounted) return least;
  const types = Object.keys(least.anomalies) as (keyof Totals['anomalies'])[];
  return {
    ...least,
    requested: least.requested - uncounted.requested,
    consented: least.consented - uncounted.consented,
    delegated: least.delegated - uncounted.delegated,
    refreshed: least.refreshed - uncounted.refreshed,
    revoked: least.revoked - uncounted.revoked,
    delivered: least.delivered - uncounted.delivered,
    failed: least.failed - uncounted.failed,
    anomalies: Object.fromEntries(
      types.map((type) => [type, (least.anomalies[type] ?? 0) - (uncounted.anomalies[type] ?? 0)]),
    ),
  };
}
