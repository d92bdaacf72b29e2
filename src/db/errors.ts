// Which database faults prove that nothing was committed, and which show that a connection is unfit.
import postgres from 'postgres';
import { badRequest, ServiceError, unavailable } from '../errors.ts';
import type { StatementEnd } from '../label-values.ts';
import type { ClosingError } from './closing-error.ts';

/** A connection ended, with or without a statement under way. `code` is the server's own where it gave one. */
export class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError';
  /** SQLSTATE, or a code of the system or the driver (ECONNRESET, ETIMEDOUT, CONNECTION_CLOSED, …). */
  readonly code: string;
  /** The error with which the server closed the connection; null: it sent none. */
  readonly closingError: ClosingError | null;
  /** It ended because an answer was overdue. The server's other connections are suspect too. */
  readonly serverIsSilent: boolean;
  /** The statement had been cancelled before, because its time was over. */
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

/** The commit was made without waiting for the standby. It may be lost with this server. */
export class UnreplicatedCommitError extends Error {
  override readonly name = 'UnreplicatedCommitError';
  readonly code = NOT_REPLICATED;
  constructor(cause?: unknown) {
    super('the commit may not have reached the synchronous standby', { cause });
  }
}

/**
 * SQLSTATE classes and codes of temporary faults: connection, resources, operator intervention, I/O, serialization and
 * deadlock, locks, a server that became a standby, and a transaction that was idle or ran too long.
 */
const TEMPORARY = /^(08|53|57|58|25006|25P0[34]|40001|40P01|55P03)/;
/** After such a fault the pool discards the connection, because the next statement on it would fail too. */
const UNFIT = /^(08|57P0[1-5]|25006|25P0[234]|XX)/;
/** "Data exception". The schemas should refuse such a value first; this is the second line of defence. */
const UNSUITABLE_VALUE = /^22/;
/**
 * A pooler does not know the outcome of a statement that it has passed on. Only these of its messages prove that no server was
 * available, and so that the statement reached none.
 */
const NO_SERVER_AT_HAND =
  /server_login_retry|query_wait_timeout|no such (database|user)|pooler is shutting down|pgbouncer cannot connect|server_connect_timeout|no more connections allowed/i;

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
/** The error behind a `ServiceError`, or the error itself. */
export const causeOf = (error: unknown): unknown => (error instanceof ServiceError ? error.cause : error);

export const isUniqueViolation = (error: unknown): boolean =>
  error instanceof postgres.PostgresError && error.code === '23505';

/** Another transaction deleted a row that the statement refers to. */
export const isForeignKeyViolation = (error: unknown): boolean =>
  error instanceof postgres.PostgresError && error.code === '23503';

/** The server could not write: its disk is full. */
export const isDiskFull = (error: unknown): boolean => codeOf(causeOf(error)) === '53100';

/** Another transaction held a lock for too long. */
export const isLockTimeout = (error: unknown): boolean => codeOf(causeOf(error)) === '55P03';

/** The statement was rolled back because of the values or locks of one row. Without that row it may succeed. */
export function concernsOneRow(error: unknown): boolean {
  const cause = causeOf(error);
  return cause instanceof postgres.PostgresError && /^(22|23|40|55P03)/.test(cause.code);
}

/** Whether the code comes from the driver or the system, and so concerns a connection and not a statement. */
export const isConnectionCode = (error: unknown): boolean => /^(CONNECTION_|E[A-Z]+$)/.test(codeOf(error));

/**
 * Whether to discard the connection that this error came from. After a fault inside the driver an answer may still arrive.
 * The driver would take it for the answer to the next statement.
 */
export const isUnfit = (error: unknown): boolean =>
  !(causeOf(error) instanceof postgres.PostgresError) || concernsConnection(error);

/** Whether the error concerns the connection or the server, and not a statement. */
export function concernsConnection(error: unknown): boolean {
  const cause = causeOf(error);
  if (cause instanceof postgres.PostgresError)
    return UNFIT.test(cause.code) || cause.severity === 'FATAL' || cause.severity === 'PANIC';
  return cause instanceof ConnectionLostError || cause instanceof ReadOnlyServerError;
}

/**
 * Whether the fault concerns the whole server: it became a standby, it crashed, or it has fallen silent. Its other connections
 * are not to be trusted either.
 */
export function concernsServer(error: unknown): boolean {
  const cause = causeOf(error);
  if (cause instanceof ConnectionLostError && cause.serverIsSilent) return true;
  return /^(25006|57P02)$/.test(codeOf(cause));
}

/** What ended a statement early; null: nothing did. */
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
 * Whether the server reported that the statement, or the transaction, was rolled back. An ERROR always means that. So does a
 * FATAL, because PostgreSQL raises none after a commit (it warns and falls silent instead, see `syncrep.c`). A PANIC may come
 * in the middle of a commit.
 */
function saysRolledBack(error: unknown): boolean {
  const said = error instanceof ConnectionLostError ? error.closingError : error;
  if (said === null || !(said instanceof postgres.PostgresError || error instanceof ConnectionLostError))
    return false;
  const { code, severity, message } = said as ClosingError;
  // The driver's errors have a severity only when the server itself sent them.
  const fromServer =
    said instanceof postgres.PostgresError ? Boolean(severity) : (said as ClosingError).fromServer;
  if (!fromServer || code.startsWith('08')) return NO_SERVER_AT_HAND.test(message);
  return severity !== 'PANIC';
}

/**
 * Turns the fault of a statement that was sent into the service's answer. A 503 means "nothing was committed, try again", so
 * only faults that prove this become one. A write whose connection was lost half-way becomes a 500, because its outcome is
 * unknown.
 * @param nothingDone nothing is committed in any case: the statement only reads, or its transaction was not committed
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
