/**
 * Reconciliation: whether the counters and gauges of a deployment agree with its database. `scrape-source.ts` and
 * `prometheus-source.ts` observe the metrics, `store.ts` reads the ledger from every table, `judge.ts` compares, `feed-store.ts`
 * compares the revocation feed with the rows. The `reconcile` command calls, and writes nothing. The service calls `leave-counts.ts` at its end. Table: `process_counts`.
 */
import type { Queryable } from '../db/queryable.ts';
import { readLeft } from './ended-store.ts';
import { compareEvents } from './events-store.ts';
import { compareFeed, type FeedFinding } from './feed-store.ts';
import { countingOf } from './interval.ts';
import { type Finding, judge, type Seen } from './judge.ts';
import { countsLeft } from './lines.ts';
import type { Ending, Left, Observation, Process, Source } from './observation.ts';
import type { Snapshot, SnapshotProcess } from './snapshot.ts';
import { type Ledger, type Period, readLedger, type Totals, totalsWithin } from './store.ts';

export interface ReconcileOptions {
  readonly db: Queryable;
  readonly source: Source;
  /** Where the interval begins; null: when the database was new. */
  readonly since: Snapshot | null;
  /** Gauges are compared with a count of the rows, instead of the numbers that the service keeps of them. */
  readonly fullCount: boolean;
  /** How long to look again before a difference is one. Must be longer than scrapes are apart. */
  readonly patienceMs: number;
}

export interface Reconciliation {
  readonly findings: readonly Finding[];
  /** Of the whole feed, whatever the interval is. */
  readonly feed: readonly FeedFinding[];
  /** Processes that have ended within the interval: what they did after their last scrape was not counted. */
  readonly ended: readonly Process[];
  readonly living: readonly Process[];
}

/**
 * By then, what was committed has been counted: requests are answered within three seconds, and are counted before. What is
 * committed after its request was given up stays an error among the attempts, however long one waits.
 */
const SETTLED_MS = 3500;
/** Gauges are read from the database at most so often, and a little later. */
const GAUGE_AGE_MS = 6000;
const LOOK_EVERY_MS = 500;
/** For as long a patience that is too short for one scrape, or for a gauge, is stretched. */
const GRACE_MS = 30_000;
/** Clocks differ, and a count follows its commit. */
const MARGIN_MS = 5000;

interface Look {
  readonly begun: number;
  readonly ended: number;
  readonly ledger: Ledger;
}

/**
 * Looks at rows and metrics until they agree, or until `patienceMs` have passed. While the service works, what is counted
 * lies between the rows before and the rows after: that is what then is asked for.
 */
export async function reconcile(options: ReconcileOptions): Promise<Reconciliation> {
  const { db, since, patienceMs } = options;
  const deadline = performance.now() + patienceMs;
  const looks: Look[] = [];
  for (;;) {
    const { processes, left, seen } = await look(options, looks);
    const counting = countingOf(processes, left, since);
    const ended = counting.processes.filter(({ ended }) => ended !== null);
    const late = performance.now() > deadline + (seen.settled ? 0 : GRACE_MS);
    const input = { ...seen, ...counting };
    let findings = judge(input, NOTHING);
    const wrong = findings.filter(({ verdict }) => verdict !== 'equal');
    if (wrong.length > 0 && ended.length > 0) findings = judge(input, await uncountedOf(db, ended));
    const differs = findings.some(({ verdict }) => verdict === 'differs');
    // A gap that is explained may be one that closes yet: also by a process that is silent and returns.
    const silent = ended.some(({ ended }) => ended?.state === 'silent');
    if (wrong.length === 0 || late || (!differs && !silent && seen.settled)) {
      const feed = [...(await compareFeed(db)), ...(await compareEvents(db))];
      // Entries get their numbers within a second, and those of a large removal when its job comes to them.
      if (late || !feed.some(({ waiting }) => waiting > 0))
        return { findings, feed, ended, living: counting.processes.filter(({ ended }) => ended === null) };
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Looks until nothing is under way, or until `patienceMs` have passed: a snapshot is then a little blurred. */
export async function takeSnapshot(
  options: Omit<ReconcileOptions, 'since' | 'fullCount'>,
): Promise<Snapshot> {
  const deadline = performance.now() + options.patienceMs;
  const looks: Look[] = [];
  for (;;) {
    const { processes, left, asOf, seen } = await look({ ...options, fullCount: false }, looks);
    const { least, most, settled } = seen;
    const still = settled && JSON.stringify(stable(least)) === JSON.stringify(stable(most));
    if (still || (settled && performance.now() > deadline)) {
      return {
        version: 1,
        takenAt: new Date(asOf).toISOString(),
        least,
        most,
        left: left.counts,
        processes: await Promise.all(
          countingOf(processes, left, null).processes.map((process) => inSnapshot(options.db, process)),
        ),
      };
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** A process that seems to have ended may be frozen, and be back later. */
async function inSnapshot(
  db: Queryable,
  { id, startedAt, instance, counts, ended }: Process,
): Promise<SnapshotProcess> {
  if (!ended) return { id, startedAt, instance, counts };
  if (ended.state === 'replaced') return { id, startedAt, instance, counts, ended: true };
  return {
    id,
    startedAt,
    instance,
    counts,
    ended: true,
    uncounted: await totalsWithin(db, [periodOf(ended)]),
  };
}

/** What changes by mere time is left out. */
const stable = ({ active: _active, removalPending: _pending, expired: _expired, ...rest }: Ledger) => rest;

async function look(
  { db, source, fullCount }: Pick<ReconcileOptions, 'db' | 'source' | 'fullCount'>,
  looks: Look[],
): Promise<Observation & { left: Left; seen: Seen }> {
  await readInto(looks, db, fullCount);
  const { processes, asOf } = await source.observe();
  // After that: a process that leaves its counts meanwhile is then known by them, and not by what was scraped before.
  const { counts, processes: gone } = await readLeft(db);
  const left = { counts: countsLeft(counts), processes: gone };
  await readInto(looks, db, fullCount);
  const most = looks.at(-1)?.ledger;
  const least = looks.findLast(({ ended }) => ended <= asOf - SETTLED_MS)?.ledger ?? most;
  if (!most || !least) throw new Error('the ledger was not read');
  // From the last look before the oldest moment at which a gauge may have been read.
  const first = looks.findLastIndex(({ ended }) => ended <= asOf - GAUGE_AGE_MS);
  const recent = looks.slice(Math.max(0, first)).map(({ ledger }) => ledger);
  return { processes, left, asOf, seen: { least, most, recent, settled: first >= 0 } };
}

async function readInto(looks: Look[], db: Queryable, fullCount: boolean): Promise<void> {
  const begun = Date.now();
  const ledger = await readLedger(db, { fullCount });
  looks.push({ begun, ended: Date.now(), ledger });
}

const NOTHING: Totals = {
  requested: 0,
  consented: 0,
  delegated: 0,
  refreshed: 0,
  revoked: 0,
  delivered: 0,
  failed: 0,
  anomalies: {},
};

/** What may have been done after the last scrapes of processes that have ended. */
const uncountedOf = (db: Queryable, processes: readonly Process[]): Promise<Totals> =>
  totalsWithin(
    db,
    processes.flatMap(({ ended }) => (ended ? [periodOf(ended)] : [])),
  );

const periodOf = ({ lastScrape, goneBy }: Ending): Period => ({
  from: new Date(lastScrape.getTime() - MARGIN_MS),
  to: new Date(goneBy.getTime() + MARGIN_MS),
});
