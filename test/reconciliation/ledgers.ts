import type { Ledger } from '../../src/reconciliation/store.ts';

/** The ledger of an empty database. */
export const NONE: Ledger = {
  requested: 0,
  consented: 0,
  delegated: 0,
  refreshed: 0,
  revoked: 0,
  delivered: 0,
  failed: 0,
  anomalies: {},
  active: 0,
  removalPending: 0,
  unacknowledged: 0,
  expired: 0,
  pending: 0,
};
export const revoked = (count: number): Ledger => ({ ...NONE, revoked: count });
