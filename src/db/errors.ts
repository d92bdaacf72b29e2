// Which faults of the database prove that nothing was committed, and which say that a connection is unfit.
import postgres from 'postgres';
import { badRequest, ServiceError, unavailable } from '../errors.ts';
import type { StatementEnd } from '../label-values.ts';
import type { ClosingError } from './closing-error.ts';

/** A connection ended, with a statement under way or without. `code` is the server's own where it gave one. */
export class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError';
  /** SQLSTATE, or a code of the system or the driver (ECONNRESET, ETIMEDOUT, CONNECTION_CLOSED, …). */
  readonly code: string;
  /** What the server said of the end; null: nothing. */
  readonly closingError: ClosingError | null;
  /** It ended because an answer was owed for too long, and that says something of the others, too. */
  readonly serverIsSilent: boolean;
  /** The statement was cancelled before, because its time was over. */
  readonly cancelled: boolean;
  constructor(closingError: ClosingError | null, cause: unknown, cancelled: boolean) {
    super(closingError?.message ?? 'the connection to the database was lost', { cause });
    this.code = closingError?.code ?? (codeOf(cause) || 'CONNECTION_CLOSED');
    this.closingError = closingError;
    const { serverIsSilent = true } = (cause ?? {}) as { readonly serverIsSilent?: boolean };
    this.serverIsSilent = this.code === 'ETIMEDOUT' && serverIsSilent;
    this.cancelled = cancelled;
  }
}

/** The server takes no writes: a standby, or a primary that became one. */
export class ReadOnlyServerError extends Error {
  override readonly name = 'ReadOnlyServerError';
  readonly code = '25006';
  constructor() {
    super('the database server takes no writes');
  }
}

const NOT_REPLICATED = 'COMMIT_NOT_REPLICATED';

/** The commit was made, and may be lost with this server: nobody waited for its standby. */
export class UnreplicatedCommitError extends Error {
  override readonly name = 'UnreplicatedCommitError';
  readonly code = NOT_REPLICATED;
  constructor(cause?: unknown) {
    super('the commit may not have reached the synchronous standby', { cause });
  }
}

/**
 * SQLSTATE classes and codes with which the server says that it may go better later, maybe elsewhere: connection, resources,
 * operator intervention, I/O, serialization and deadlock, locks, a server that became a standby, a transaction ended for
 * its silence or its length.
 */
const TEMPORARY = /^(08|53|57|58|25006|25P0[34]|40001|40P01|55P03)/;
/** A connection with such a fault is thrown away: whatever comes next on it would fail too. */
const UNFIT = /^(08|57P0[1-5]|25006|25P0[234]|XX)/;
/** "Data exception": a net under the schemas, which are to refuse such a value first. */
const UNSUITABLE_VALUE = /^22/;
/**
 * A pooler knows nothing of what became of a statement that it had passed on. Only these of its texts say that no server was
 * at hand, so that the statement was sent to none.
 */
const NO_SERVER_AT_HAND =
  /server_login_retry|query_wait_timeout|no such (database|user)|pooler is shutting down|pgbouncer cannot connect|server_connect_timeout|no more connections allowed/i;

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
/** What went wrong behind an answer of ours. */
export const causeOf = (error: unknown): unknown => (error instanceof ServiceError ? error.cause : error);

export const isUniqueViolation = (error: unknown): boolean =>
  error instanceof postgres.PostgresError && error.code === '23505';

/** A row that the statement refers to was deleted by someone else at the same moment. */
export const isForeignKeyViolation = (error: unknown): boolean =>
  error instanceof postgres.PostgresError && error.code === '23503';

/** The server could not write: its disk is full. */
export const isDiskFull = (error: unknown): boolean => codeOf(causeOf(error)) === '53100';

/** Somebody else held a lock for too long. */
export const isLockTimeout = (error: unknown): boolean => codeOf(causeOf(error)) === '55P03';

/** The statement was rolled back because of the values or locks of some row: without that row it may well succeed. */
export function concernsOneRow(error: unknown): boolean {
  const cause = causeOf(error);
  return cause instanceof postgres.PostgresError && /^(22|23|40|55P03)/.test(cause.code);
}

/** A code by which the driver or the system tells of a connection, not of a statement. */
export const isConnectionCode = (error: unknown): boolean => /^(CONNECTION_|E[A-Z]+$)/.test(codeOf(error));

/**
 * Whether the connection that this came from is to be thrown away. After a fault of the driver's own an answer may be under
 * way that it would take for that of the next statement.
 */
export const isUnfit = (error: unknown): boolean =>
  !(causeOf(error) instanceof postgres.PostgresError) || concernsConnection(error);

/** Whether it says something of the connection, or of the server, and not of a statement. */
export function concernsConnection(error: unknown): boolean {
  const cause = causeOf(error);
  if (cause instanceof postgres.PostgresError)
    return UNFIT.test(cause.code) || cause.severity === 'FATAL' || cause.severity === 'PANIC';
  return cause instanceof ConnectionLostError || cause instanceof ReadOnlyServerError;
}

/**
 * Whether the fault says something of the server and not of one connection, so that the others are better not trusted
 * either: it became a standby, it crashed, or it has fallen silent.
 */
export function concernsServer(error: unknown): boolean {
  const cause = causeOf(error);
  if (cause instanceof ConnectionLostError && cause.serverIsSilent) return true;
  return /^(25006|57P02)$/.test(codeOf(cause));
}

/** By what a statement was ended before its time; null: it was not. */
export function endedBy(error: unknown, cancelled: boolean): StatementEnd | null {
  switch (codeOf(causeOf(error))) {
    case NOT_REPLICATED:
      return cancelled ? 'cancel' : null;
    case '57014':
      return cancelled ? 'cancel' : 'statement_timeout';
    case '55P03':
      return 'lock_timeout';
    case '25P03':
      return 'idle_in_transaction';
    default:
      return null;
  }
}

/**
 * The server said that the statement, or the transaction, was rolled back. An ERROR always says so, and so does a FATAL:
 * PostgreSQL raises none where a commit was made (it warns and falls silent then, see `syncrep.c`). A PANIC may come in the
 * middle of a commit.
 */
function saysRolledBack(error: unknown): boolean {
  const said = error instanceof ConnectionLostError ? error.closingError : error;
  if (said === null || !(said instanceof postgres.PostgresError || error instanceof ConnectionLostError))
    return false;
  const { code, severity, message } = said as ClosingError;
  // The driver, too, has the severity of what a server says alone.
  const fromServer =
    said instanceof postgres.PostgresError ? Boolean(severity) : (said as ClosingError).fromServer;
  if (!fromServer || code.startsWith('08')) return NO_SERVER_AT_HAND.test(message);
  return severity !== 'PANIC';
}

/**
 * Faults of a statement that was sent, as the service answers them. 503 says "nothing was committed, try again", so it is
 * kept for faults that prove it; a write whose connection was lost half-way is a 500, because nobody knows.
 * @param nothingDone whatever happened to the statement, nothing is committed: it reads, or its transaction was not committed
 */
export function toServiceError(error: unknown, { nothingDone }: { nothingDone: boolean }): unknown {
  if (error instanceof ServiceError) return error;
  const code = codeOf(error);
  if (error instanceof postgres.PostgresError && UNSUITABLE_VALUE.test(code))
    return badRequest('A value is out of range', error);
  if (TEMPORARY.test(code) && (nothingDone || saysRolledBack(error))) return unavailable(error);
  if (error instanceof ConnectionLostError && nothingDone) return unavailable(error);
  return error;
}
