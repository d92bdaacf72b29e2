import { setTimeout as delay } from 'node:timers/promises';
import type { SpanContext } from '@opentelemetry/api';
import postgres from 'postgres';
import type { DatabaseTelemetry, Statement } from '../telemetry/database.ts';
import { isConnectionLost, toServiceError } from './errors.ts';
import { createPermits, type Patience } from './permits.ts';
import { trackSockets } from './sockets.ts';
import { runTransaction } from './transaction.ts';
import { workingBackends } from './working-backends.ts';

/** Something statements can be run on: the pool, or one transaction. */
export interface Queryable {
  /**
   * Runs one statement; its values travel as parameters only.
   * @param links spans of other requests that this statement also serves (batched lookups)
   * @throws {ServiceError} SERVICE_UNAVAILABLE when the fault proves that nothing was committed; else the driver's error
   */
  rows<R>(statement: Statement, values: readonly unknown[], links?: readonly SpanContext[]): Promise<R[]>;
}

export interface Database extends Queryable {
  /** Runs `work` in one transaction (READ COMMITTED); commits when it resolves, rolls back when it throws. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  /** A connection of its own, so that health and gauges are not queued behind the requests. */
  readonly side: Queryable;
  /** Established connections by state. */
  connections(): { used: number; idle: number };
  /** Waits for statements under way, at most `timeoutMs`, then closes every connection. */
  close(timeoutMs: number): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly poolMax: number;
  readonly telemetry: DatabaseTelemetry;
  /** A connection could not be made, or was lost. */
  readonly onConnectionError: (error: Error, pool: string) => void;
}

const CONNECT_TIMEOUT_SECONDS = 2;
const RETRY_SECONDS = 0.25;
const CLOSING_MS = 10;

interface Pool extends Queryable {
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  connections(): { used: number; idle: number };
  close(timeoutMs: number): Promise<void>;
}

function createPool(name: string, max: number, options: DatabaseOptions): Pool {
  const sockets = trackSockets(
    (error) => options.onConnectionError(error, name),
    (pids) => workingBackends(options.url, pids),
  );
  const permits = createPermits(max);
  // `socket` is missing from the driver's types.
  const settings = {
    max,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    backoff: () => RETRY_SECONDS,
    onnotice: () => undefined,
    socket: sockets.open,
  };
  const sql = postgres(options.url, settings as postgres.Options<Record<string, never>>);

  const withPermit = <T>(work: (patience: Patience) => Promise<T>) =>
    permits.run((patience) => untilClosed(work(patience)));

  return {
    rows: (statement, values, links) =>
      withPermit((patience) => run(sql, options.telemetry, patience, statement, values, links)),
    transaction: (work) =>
      withPermit((patience) =>
        runTransaction(sql, options.telemetry, patience, (tx) =>
          work({
            rows: (statement, values, links) => run(tx, options.telemetry, null, statement, values, links),
          }),
        ),
      ),
    connections() {
      const open = sockets.count();
      const used = Math.min(open, permits.held());
      return { used, idle: open - used };
    },
    async close(timeoutMs) {
      await sql.end({ timeout: timeoutMs / 1000 });
      sockets.close();
    },
  };
}

/**
 * The driver tells of a lost connection a moment before it takes it out of use; a statement that it is given meanwhile,
 * it would never answer. So the permit is kept for that moment: a timer comes after the event that closes the socket.
 */
async function untilClosed<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isConnectionLost(error)) await delay(CLOSING_MS);
    throw error;
  }
}

/** `patience`: for a statement of its own, after which it is withdrawn if it has not been sent. */
async function run<R>(
  sql: postgres.Sql | postgres.TransactionSql,
  telemetry: DatabaseTelemetry,
  patience: Patience | null,
  statement: Statement,
  values: readonly unknown[],
  links?: readonly SpanContext[],
): Promise<R[]> {
  // `unsafe` is the driver's name for "text and parameters apart": the text is a constant of a store.ts.
  const query = sql.unsafe(statement.text, values as postgres.ParameterOrJSON<never>[], { prepare: true });
  // The driver keeps what it could not send for the next connection, however late that comes.
  const timer = patience && setTimeout(() => wasSent(query) || query.cancel(), patience.leftMs());
  try {
    return await telemetry.statement(statement, links, async () => Array.from(await query) as R[]);
  } catch (error) {
    throw toServiceError(error, { readOnly: statement.operation === 'SELECT', sent: wasSent(query) });
  } finally {
    if (timer) clearTimeout(timer);
  }
}

/** The driver notes the backend when it writes the statement to a connection that is ready. */
function wasSent(query: object): boolean {
  return (query as { state?: object | null }).state != null;
}

/** Opens the pools; connections are made when they are first needed, and again after they were lost. */
export function openDatabase(options: DatabaseOptions): Database {
  const main = createPool('main', options.poolMax, options);
  const side = createPool('side', 1, options);
  return {
    rows: main.rows,
    transaction: main.transaction,
    connections: main.connections,
    side,
    async close(timeoutMs) {
      await Promise.all([main.close(timeoutMs), side.close(timeoutMs)]);
    },
  };
}
