/** The server ends by itself what lasts longer, also when this process is frozen or gone. Milliseconds; 0: no limit. */
export interface SessionLimits {
  /** For one statement. It is also how long an answer is waited for here. */
  readonly statementMs: number;
  /** For one wait for a lock. */
  readonly lockMs: number;
  /** For a transaction whose client says nothing: it would keep its locks. */
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

/** Gauges and health: they have one connection, so a slow one holds up the other. */
export const SIDE_LIMITS: SessionLimits = { ...REQUEST_LIMITS, statementMs: 3_000 };

/** Work that nobody waits for. Its transactions ask nothing but the database, so a silent one is one too many here, too. */
export const BACKGROUND_LIMITS: SessionLimits = {
  statementMs: 15_000,
  lockMs: 5_000,
  idleInTransactionMs: 3_000,
  transactionMs: 30_000,
};

/** `npm run keys`, `npm run reconcile`: somebody looks on and can end them. */
export const COMMAND_LIMITS: SessionLimits = {
  statementMs: 60_000,
  lockMs: 5_000,
  idleInTransactionMs: 60_000,
  transactionMs: 0,
};

/**
 * A migration may rewrite a table, but must not wait long for a lock: later statements wait behind it. It fails
 * instead, and is tried again.
 */
export const MIGRATION_LIMITS: SessionLimits = {
  statementMs: 0,
  lockMs: 3_000,
  idleInTransactionMs: 60_000,
  transactionMs: 0,
};
