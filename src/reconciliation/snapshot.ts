import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Counts } from './observation.ts';
import type { Ledger, Totals } from './store.ts';

/** Where an interval begins: what rows and counters had come to then. */
export interface Snapshot {
  readonly version: 1;
  /** When the counters were read. */
  readonly takenAt: string;
  /** The rows were at least, and at most, these when the counters were read; the same where nothing was under way. */
  readonly least: Ledger;
  readonly most: Ledger;
  /** Ids of processes that had ended by then and do not count: only in snapshots of the release before. */
  readonly past?: readonly string[];
  /** What processes that had ended in order had left in the database. */
  readonly left?: Counts;
  /** The others that there had been by then, whether or not they ran. */
  readonly processes: readonly SnapshotProcess[];
}

export interface SnapshotProcess {
  readonly id: string;
  /** null or absent: as of `Process`. */
  readonly startedAt?: number | null;
  readonly instance: string;
  readonly counts: Counts;
  /** Set where it seemed to have ended, and the interval must not wait for it. */
  readonly ended?: true;
  /** What it may have done after its last scrape. Some of that belongs to the interval if it comes back. */
  readonly uncounted?: Totals;
}

const counts = Type.Record(Type.String(), Type.Number());
const totals = {
  requested: Type.Number(),
  consented: Type.Number(),
  delegated: Type.Number(),
  refreshed: Type.Number(),
  revoked: Type.Number(),
  delivered: Type.Number(),
  failed: Type.Number(),
  anomalies: counts,
};
const ledger = Type.Object({
  ...totals,
  active: Type.Number(),
  // Snapshots of the release before do not have it.
  removalPending: Type.Optional(Type.Number()),
  unacknowledged: Type.Number(),
  expired: Type.Number(),
  pending: Type.Number(),
});
const snapshot = Type.Object({
  version: Type.Literal(1),
  takenAt: Type.String(),
  least: ledger,
  most: ledger,
  past: Type.Optional(Type.Array(Type.String())),
  left: Type.Optional(counts),
  processes: Type.Array(
    Type.Object({
      id: Type.String(),
      startedAt: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
      instance: Type.String(),
      counts,
      ended: Type.Optional(Type.Literal(true)),
      uncounted: Type.Optional(Type.Object(totals)),
    }),
  ),
});

/** @throws when it is not what `npm run reconcile -- --snapshot` wrote */
export function parseSnapshot(text: string): Snapshot {
  const value: unknown = JSON.parse(text);
  if (!Value.Check(snapshot, value) || Number.isNaN(Date.parse(value.takenAt)))
    throw new Error('this is no snapshot');
  return value as Snapshot;
}
