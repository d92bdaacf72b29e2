import type { SpanContext } from '@opentelemetry/api';
import type { BunSqlLike } from 'pg-boss';
import postgres from 'postgres';
import { type DatabaseTelemetry, describeStatement, type Statement } from '../telemetry/database.ts';
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
  readonly side: Queryable & Pick<Background, 'connections'>;
  /** Connections of their own for work that no request waits for: neither can hold up the other. */
  readonly background: Background;
  /** Established connections by state. */
  connections(): { used: number; idle: number };
  /** Waits for statements under way, at most `timeoutMs`, then closes every connection. */
  close(timeoutMs: number): Promise<void>;
}

export interface Background extends Queryable {
  /** As `Database.transaction`. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  connections(): { used: number; idle: number };
  /** The driver, for the job queue; on the connection of `tx` when there is one. */
  driver(tx?: Queryable): BunSqlLike;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly poolMax: number;
  readonly telemetry: DatabaseTelemetry;
  /** Of the background; default: the same. */
  readonly backgroundTelemetry?: DatabaseTelemetry;
  /** A connection could not be made, or was lost. */
  readonly onConnectionError: (error: Error, pool: string) => void;
}

const CONNECT_TIMEOUT_SECONDS = 2;
const RETRY_SECONDS = 0.25;
/** As long as a statement on one of its connections may take. */
const LEFT_BEHIND_SECONDS = 15;
/** One that looks for webhooks to deliver, one that says what became of them, and one that looks for anomalies. */
const BACKGROUND_CONNECTIONS = 3;

interface Pool extends Background {
  close(timeoutMs: number): Promise<void>;
}

/** What a piece of work may use. */
interface Lease {
  readonly sql: postgres.Sql;
  readonly patience: Patience;
  readonly onWithdrawn: () => void;
}

/** What the job queue runs has texts of its own, so it is measured as one kind of statement. */
const QUEUE_STATEMENT = describeStatement({ operation: 'QUEUE', name: 'queue', text: '' });

function createPool(name: string, max: number, telemetry: DatabaseTelemetry, options: DatabaseOptions): Pool {
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
  const open = () => postgres(options.url, settings as postgres.Options<Record<string, never>>);
  let sql = open();
  const transactions = new WeakMap<Queryable, postgres.TransactionSql>();

  // After the loss of a connection, or when a statement is withdrawn from one that is being made, the driver may keep it
  // as one that waits for ever, and half-written bytes for the next. So its whole pool is left to end what it has.
  const renew = (old: postgres.Sql) => {
    if (old !== sql) return;
    sql = open();
    void old.end({ timeout: LEFT_BEHIND_SECONDS });
  };
  const withPermit = <T>(work: (lease: Lease) => Promise<T>) =>
    permits.run(async (patience) => {
      const own = sql;
      try {
        return await work({ sql: own, patience, onWithdrawn: () => renew(own) });
      } catch (error) {
        if (isConnectionLost(error)) renew(own);
        throw error;
      }
    });

  return {
    rows: (statement, values, links) =>
      withPermit((lease) => run(lease.sql, telemetry, lease, statement, values, links)),
    transaction: (work) =>
      withPermit((lease) =>
        runTransaction(lease.sql, telemetry, lease.patience, (tx) => {
          const queryable: Queryable = {
            rows: (statement, values, links) => run(tx, telemetry, null, statement, values, links),
          };
          transactions.set(queryable, tx);
          return work(queryable);
        }),
      ),
    driver(within) {
      const tx = within && transactions.get(within);
      const unsafe = (
        on: postgres.Sql | postgres.TransactionSql,
        lease: Lease | null,
        text: string,
        values?: unknown[],
      ) =>
        telemetry.statement(QUEUE_STATEMENT, undefined, () =>
          sendInTime(on.unsafe(text, values as postgres.ParameterOrJSON<never>[]), lease),
        );
      return {
        unsafe: (text, values) =>
          tx ? unsafe(tx, null, text, values) : withPermit((lease) => unsafe(lease.sql, lease, text, values)),
        reserve: () => reserve(withPermit, (on, text, values) => unsafe(on, null, text, values)),
      };
    },
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

/** `lease`: for a statement of its own, which is withdrawn if it has not been sent by the end of its patience. */
async function run<R>(
  sql: postgres.Sql | postgres.TransactionSql,
  telemetry: DatabaseTelemetry,
  lease: Lease | null,
  statement: Statement,
  values: readonly unknown[],
  links?: readonly SpanContext[],
): Promise<R[]> {
  // `unsafe` is the driver's name for "text and parameters apart": the text is a constant of a store.ts.
  const query = sql.unsafe(statement.text, values as postgres.ParameterOrJSON<never>[], { prepare: true });
  try {
    return await telemetry.statement(
      statement,
      links,
      async () => Array.from(await sendInTime(query, lease)) as R[],
    );
  } catch (error) {
    throw toServiceError(error, { readOnly: statement.operation === 'SELECT', sent: wasSent(query) });
  }
}

/**
 * A connection of one's own until `release`. It counts as the others do: a driver that has more to do than connections may
 * keep a BEGIN that it never sends.
 */
function reserve(
  withPermit: (work: (lease: Lease) => Promise<void>) => Promise<void>,
  unsafe: (on: postgres.Sql, text: string, values?: unknown[]) => Promise<unknown>,
): ReturnType<BunSqlLike['reserve']> {
  return new Promise((resolve, reject) => {
    const work = async ({ sql }: Lease) => {
      const reserved = await sql.reserve();
      const released = Promise.withResolvers<void>();
      resolve({
        unsafe: (text, values) =>
          unsafe(reserved, text, values).catch((error: unknown) => {
            // The pool must hear of it, too.
            if (isConnectionLost(error)) released.reject(error);
            throw error;
          }),
        release() {
          reserved.release();
          released.resolve();
        },
      });
      await released.promise;
    };
    withPermit(work).catch(reject);
  });
}

/** The driver keeps what it could not send for the next connection, however late that comes: it is withdrawn instead. */
async function sendInTime(
  query: ReturnType<postgres.Sql['unsafe']>,
  lease: Lease | null,
): Promise<Iterable<unknown>> {
  const withdraw = () => {
    if (wasSent(query)) return;
    query.cancel();
    lease?.onWithdrawn();
  };
  const timer = lease && setTimeout(withdraw, lease.patience.leftMs());
  try {
    return await query;
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
  const main = createPool('main', options.poolMax, options.telemetry, options);
  const side = createPool('side', 1, options.telemetry, options);
  const background = createPool(
    'background',
    BACKGROUND_CONNECTIONS,
    options.backgroundTelemetry ?? options.telemetry,
    options,
  );
  return {
    rows: main.rows,
    transaction: main.transaction,
    connections: main.connections,
    side,
    background,
    async close(timeoutMs) {
      await Promise.all([main, side, background].map((pool) => pool.close(timeoutMs)));
    },
  };
}
