import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Ledger } from './store.ts';

/** Where an interval begins: what rows and counters had come to then. */
export interface Snapshot {
  readonly version: 1;
  /** When the counters were read. */
  readonly takenAt: string;
  /** The rows were at least, and at most, these when the counters were read; the same where nothing was under way. */
  readonly least: Ledger;
  readonly most: Ledger;
  /** Ids of processes that had ended by then. */
  readonly past: readonly string[];
  /** Of the processes that ran then. */
  readonly processes: readonly { readonly id: string; readonly instance: string; readonly counts: Counts }[];
}
type Counts = Readonly<Record<string, number>>;

const counts = Type.Record(Type.String(), Type.Number());
const ledger = Type.Object({
  requested: Type.Number(),
  consented: Type.Number(),
  delegated: Type.Number(),
  refreshed: Type.Number(),
  revoked: Type.Number(),
  delivered: Type.Number(),
  failed: Type.Number(),
  anomalies: counts,
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
  past: Type.Array(Type.String()),
  processes: Type.Array(Type.Object({ id: Type.String(), instance: Type.String(), counts })),
});

/** @throws when it is not what `npm run reconcile -- --snapshot` wrote */
export function parseSnapshot(text: string): Snapshot {
  const value: unknown = JSON.parse(text);
  if (!Value.Check(snapshot, value) || Number.isNaN(Date.parse(value.takenAt)))
    throw new Error('this is no snapshot');
  return value as Snapshot;
}
