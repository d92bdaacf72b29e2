/** Limits that the server enforces, even when this process is frozen or gone. Milliseconds; 0: no limit. */
export interface SessionLimits {
  /** For one statement. The client waits for an answer equally long. */
  readonly statementMs: number;
  /** For one wait for a lock. */
  readonly lockMs: number;
  /** For a transaction whose client is silent. It would keep its locks. */
  readonly idleInTransactionMs: number;
  /** For a whole transaction; PostgreSQL 17 and newer. */
  readonly transactionMs: number;
}

/** Statements of requests: each ends before the caller is answered (`http/deadline.ts`). */
export const REQUEST_LIMITS: SessionLimits = {
  statementMs: 2_000,
  lockMs: 1_000,
  idleInTransactionMs: 3_000,
  transactionMs: 5_000,
};

/** Gauges and health share one connection, so a slow statement delays the next one. */
export const SIDE_LIMITS: SessionLimits = { ...REQUEST_LIMITS, statementMs: 3_000 };

/** Work that no caller waits for. Its transactions wait for nothing but the database, so an idle one is a fault here too. */
export const BACKGROUND_LIMITS: SessionLimits = {
  statementMs: 15_000,
  lockMs: 5_000,
  idleInTransactionMs: 3_000,
  transactionMs: 30_000,
};

/** `npm run admin`, `audit`, `keys` and `reconcile`: a person watches them and can end them. */
export const COMMAND_LIMITS: SessionLimits = {
  statementMs: 60_000,
  lockMs: 5_000,
  idleInTransactionMs: 60_000,
  transactionMs: 0,
};

/**
 * A migration may rewrite a table. It must not wait long for a lock, because later statements wait behind it. It fails
 * instead and is tried again.
 */
export const MIGRATION_LIMITS: SessionLimits = {
  statementMs: 0,
  lockMs: 3_000,
  idleInTransactionMs: 60_000,
  transactionMs: 0,
};
