import postgres from 'postgres';
import { badRequest, ServiceError, unavailable } from '../errors.ts';

/** The statement never left this process, or never reached a server. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'EACCES',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'CONNECT_TIMEOUT',
  'CONNECTION_ENDED',
]);
/** The connection was lost with the statement under way: it may have been committed, or not. */
const LOST = new Set(['CONNECTION_CLOSED', 'CONNECTION_DESTROYED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']);
/**
 * SQLSTATE classes and codes with which the server says that it rolled the statement back and that it may go better
 * later: connection, resources, operator intervention, serialization and deadlock.
 */
const ROLLED_BACK_FOR_NOW = /^(08|53|57|40001|40P01|55P03)/;

/** "Data exception": a net under the schemas, which are to refuse such a value first. */
const UNSUITABLE_VALUE = /^22/;

export const isUniqueViolation = (error: unknown): boolean =>
  error instanceof postgres.PostgresError && error.code === '23505';

/** A row that the statement refers to was deleted by someone else at the same moment. */
export const isForeignKeyViolation = (error: unknown): boolean =>
  error instanceof postgres.PostgresError && error.code === '23503';

/** The statement was rolled back because of the values or locks of some row: without that row it may well succeed. */
export function isOfOneRow(error: unknown): boolean {
  const cause = error instanceof ServiceError ? error.cause : error;
  return cause instanceof postgres.PostgresError && /^(22|23|40)/.test(cause.code);
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** Whether the connection was lost while the statement was under way. */
export function isConnectionLost(error: unknown): boolean {
  return LOST.has(codeOf(error instanceof ServiceError ? error.cause : error));
}

/**
 * Database faults as the service answers them. 503 says "nothing was committed, try again", so it is kept for faults
 * that prove it, and for reads; a write whose connection was lost half-way is a 500, because nobody knows.
 */
export function toServiceError(error: unknown, statement: { readOnly: boolean; sent: boolean }): unknown {
  if (error instanceof ServiceError) return error;
  const code = codeOf(error);
  if (error instanceof postgres.PostgresError && UNSUITABLE_VALUE.test(code))
    return badRequest('A value is out of range', error);
  if (
    !statement.sent ||
    NOT_SENT.has(code) ||
    (error instanceof postgres.PostgresError && ROLLED_BACK_FOR_NOW.test(code))
  )
    return unavailable(error);
  if (LOST.has(code) && statement.readOnly) return unavailable(error);
  return error;
}
