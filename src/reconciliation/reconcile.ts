/**
 * Reconciliation: whether the counters and gauges of a deployment agree with its database. `scrape-source.ts` and
 * `prometheus-source.ts` observe the metrics, `store.ts` reads the ledger from every table, `judge.ts` compares. It writes
 * nothing. Only the `reconcile` command calls.
 */
import type { Queryable } from '../db/queryable.ts';
import { type Finding, judge, type Seen } from './judge.ts';
import type { Observation, Process, Source } from './observation.ts';
import type { Snapshot } from './snapshot.ts';
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
    const { processes, seen } = await look(options, looks);
    const counted = since ? withThoseOf(since, processes) : processes;
    const ended = counted.filter(({ ended }) => ended !== null);
    const late = performance.now() > deadline + (seen.settled ? 0 : GRACE_MS);
    const input = { ...seen, processes: counted, since };
    let findings = judge(input, NOTHING);
    const wrong = findings.filter(({ verdict }) => verdict !== 'equal');
    if (wrong.length > 0 && ended.length > 0) findings = judge(input, await uncountedOf(db, ended));
    const differs = findings.some(({ verdict }) => verdict === 'differs');
    // A gap that is explained may be one that closes yet.
    if (wrong.length === 0 || late || (!differs && seen.settled))
      return { findings, ended, living: counted.filter(({ ended }) => ended === null) };
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
    const { processes, asOf, seen } = await look({ ...options, fullCount: false }, looks);
    const { least, most, settled } = seen;
    const still = settled && JSON.stringify(stable(least)) === JSON.stringify(stable(most));
    if (still || (settled && performance.now() > deadline)) {
      const living = processes.filter(({ ended }) => ended === null);
      return {
        version: 1,
        takenAt: new Date(asOf).toISOString(),
        least,
        most,
        past: processes.filter(({ ended }) => ended !== null).map(({ id }) => id),
        processes: living.map(({ id, instance, counts }) => ({ id, instance, counts })),
      };
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** What changes by mere time is left out. */
const stable = ({ active: _active, removalPending: _pending, expired: _expired, ...rest }: Ledger) => rest;

async function look(
  { db, source, fullCount }: Pick<ReconcileOptions, 'db' | 'source' | 'fullCount'>,
  looks: Look[],
): Promise<Observation & { seen: Seen }> {
  await readInto(looks, db, fullCount);
  const { processes, asOf } = await source.observe();
  await readInto(looks, db, fullCount);
  const most = looks.at(-1)?.ledger;
  const least = looks.findLast(({ ended }) => ended <= asOf - SETTLED_MS)?.ledger ?? most;
  if (!most || !least) throw new Error('the ledger was not read');
  // From the last look before the oldest moment at which a gauge may have been read.
  const first = looks.findLastIndex(({ ended }) => ended <= asOf - GAUGE_AGE_MS);
  const recent = looks.slice(Math.max(0, first)).map(({ ledger }) => ledger);
  return { processes, asOf, seen: { least, most, recent, settled: first >= 0 } };
}

async function readInto(looks: Look[], db: Queryable, fullCount: boolean): Promise<void> {
  const begun = Date.now();
  const ledger = await readLedger(db, { fullCount });
  looks.push({ begun, ended: Date.now(), ledger });
}

/** Processes that ran at the snapshot and are gone now have ended since, at an unknown time. */
function withThoseOf(since: Snapshot, observed: readonly Process[]): Process[] {
  const before = new Map(since.processes.map(({ id, counts }) => [id, counts]));
  // An id that was set by hand outlives its process; counters never fall.
  const isAnother = ({ id, counts }: Process) =>
    Object.entries(before.get(id) ?? {}).some(([what, count]) => (counts[what] ?? 0) < count);
  const processes = observed
    .filter(({ id }) => !since.past.includes(id))
    .map((process) => (isAnother(process) ? { ...process, id: `${process.id}#again` } : process));
  const seen = new Set(processes.map(({ id }) => id));
  const ended = { lastScrape: new Date(since.takenAt), goneBy: new Date() };
  const lost = since.processes.filter(({ id }) => !seen.has(id));
  return [...processes, ...lost.map((process) => ({ ...process, gauges: {}, ended }))];
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
function uncountedOf(db: Queryable, processes: readonly Process[]): Promise<Totals> {
  const periods = processes.flatMap(({ ended }): Period[] => {
    if (!ended) return [];
    const from = new Date(ended.lastScrape.getTime() - MARGIN_MS);
    return [{ from, to: new Date(ended.goneBy.getTime() + MARGIN_MS) }];
  });
  return totalsWithin(db, periods);
}
