/**
 * The database client. Every statement of the service goes through it; every room may call it. It owns the tables
 * `schema_migrations` and those of the job queue.
 *
 * - Statements: `query.ts` and `column-types.ts` declare them, `queryable.ts` runs them, `batch.ts` and `batch-schedule.ts`
 *   let requests share one, `transaction.ts` groups them, `take-turn.ts` runs transactions one at a time.
 * - Pools: this file opens one for requests, one for health and gauges, and one for the background. `pool.ts` and
 *   `../fair-queue.ts` implement them.
 * - One connection: `open-connection.ts`, `socket.ts` and `handshake.ts` open it, `connection.ts` and `link.ts` use it,
 *   `cancel.ts` cancels its statement, `value-types.ts` converts values. `assert-reachable.ts` tries it once.
 * - Failures: `errors.ts` and `closing-error.ts` say what a failure proves. `limits.ts` has the time limits of sessions.
 * - Schema: `migrate.ts` brings it up to date. `job-queue.ts` is the queue of webhook deliveries.
 */
import type { SpanContext } from '@opentelemetry/api';
import type { BunSqlLike } from 'pg-boss';
import { parseTarget, type Target } from '../database-url/target.ts';
import { unavailable } from '../errors.ts';
import { requestScope } from '../request-scope.ts';
import { type DatabaseTelemetry, describeStatement } from '../telemetry/database.ts';
import { type AskQuery, createAsk } from './batch.ts';
import type { Connection, Result } from './connection.ts';
import { endedBy, toServiceError } from './errors.ts';
import { BACKGROUND_LIMITS, REQUEST_LIMITS, type SessionLimits, SIDE_LIMITS } from './limits.ts';
import { createPool, type Pool } from './pool.ts';
import { type Query, valuesOf } from './query.ts';
import { createQueryable, type Queryable } from './queryable.ts';
import { runTransaction } from './transaction.ts';

/** Connections of one kind of work. */
export interface Connections extends Queryable {
  /** Runs `work` in one transaction (READ COMMITTED); commits when it resolves, rolls back when it throws. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  /** Established connections by state, and callers that wait for one. */
  connections(): { readonly used: number; readonly idle: number; readonly waiting: number };
}

export interface Database extends Connections {
  readonly ask: AskQuery;
  /** A separate connection, so that health and gauges do not queue behind requests. */
  readonly side: Side;
  /** Separate connections for work that no request waits for. Requests and background work cannot delay each other. */
  readonly background: Background;
  /** Waits for statements under way, at most `timeoutMs`, then closes every connection. */
  close(timeoutMs: number): Promise<void>;
}

export interface Side extends Connections {
  /** @throws when the server does not answer within `withinMs`, or takes no writes */
  assertWritable(withinMs: number): Promise<void>;
}

export interface Background extends Connections {
  /** The driver, for the job queue; on the connection of `tx` when there is one. */
  driver(tx?: Queryable): BunSqlLike;
}

export interface DatabaseOptions {
  /** A connection string of libpq. */
  readonly url: string;
  readonly poolMax: number;
  readonly telemetry: DatabaseTelemetry;
  /** Of the background; default: the same. */
  readonly backgroundTelemetry?: DatabaseTelemetry;
  /** Of the sessions of all pools, for commands; default: those of a service. */
  readonly limits?: SessionLimits;
  /** A connection could not be made, or was lost. */
  readonly onConnectionError: (error: Error, pool: string) => void;
}

/** Less than the time that a request has for its statements. A request that gets a connection then has time left to use it. */
const WAIT_MS = 1_800;
/** One looks for webhooks to deliver, one records their outcomes, and one looks for anomalies. */
const BACKGROUND_CONNECTIONS = 3;

/** The job queue brings its own statement texts. They are measured as one kind of statement. */
const QUEUE_STATEMENT = describeStatement({ operation: 'QUEUE', name: 'queue', text: '' });

/** The tenant of the work, and the time it has left. Work outside requests has all the time of its pool. */
interface Allowance {
  readonly tenant: string | null;
  leftMs(): number;
}
const UNLIMITED: Allowance = { tenant: null, leftMs: () => Number.POSITIVE_INFINITY };

function allowanceOfRequest(): Allowance {
  const scope = requestScope();
  if (!scope) return UNLIMITED;
  return { tenant: scope.developerId, leftMs: () => scope.statementsEndAt - performance.now() };
}

/** Where a statement is run. */
interface Place {
  readonly connection: Connection;
  readonly allowed: Allowance;
  /** A failure before the COMMIT proves that nothing was committed. */
  readonly inTransaction: boolean;
}

/** @throws SERVICE_UNAVAILABLE when nothing is left */
function assertTimeLeft({ leftMs }: Allowance): number {
  const left = leftMs();
  if (left <= 0) throw unavailable(new Error('the time of the request is over'));
  return left;
}

interface Settings {
  readonly pool: Pool;
  readonly target: Target;
  readonly limits: SessionLimits;
  readonly telemetry: DatabaseTelemetry;
  readonly allowance: () => Allowance;
}

function createConnections({ pool, target, limits, telemetry, allowance }: Settings) {
  const transactions = new WeakMap<Queryable, Connection>();
  const use = async <T>(work: (connection: Connection, allowed: Allowance) => Promise<T>): Promise<T> => {
    const allowed = allowance();
    const waitMs = Math.min(WAIT_MS, assertTimeLeft(allowed));
    return pool.use(allowed.tenant, waitMs, (connection) => work(connection, allowed));
  };
  const limitMs = (allowed: Allowance): number => {
    const leftMs = assertTimeLeft(allowed);
    return Math.min(leftMs, limits.statementMs || leftMs);
  };
  const send = (
    { connection, allowed }: Place,
    text: string,
    values: readonly unknown[],
    prepared: boolean,
  ): Promise<Result> => {
    const limit = limitMs(allowed);
    const prepare = prepared && (target.prepare ?? !connection.pooled);
    return connection.run(text, values, { prepare, limitMs: Number.isFinite(limit) ? limit : 0 });
  };
  const run = async <P, R>(
    place: Place,
    query: Query<P, R>,
    values: P,
    links?: readonly SpanContext[],
  ): Promise<R[]> => {
    try {
      return await telemetry.statement(
        query,
        links,
        async () => Array.from(await send(place, query.text, valuesOf(query, values), true)) as R[],
      );
    } catch (error) {
      throw toServiceError(error, { nothingDone: place.inTransaction || query.operation === 'SELECT' });
    }
  };

  const connections: Connections & Pick<Background, 'driver'> = {
    ...createQueryable((query, values, links) =>
      use((connection, allowed) => run({ connection, allowed, inTransaction: false }, query, values, links)),
    ),
    transaction: (work) =>
      use((connection, allowed) => {
        const tx = createQueryable((query, values, links) =>
          run({ connection, allowed, inTransaction: true }, query, values, links),
        );
        transactions.set(tx, connection);
        const options = { telemetry, limitMs: limits.statementMs, assertInTime: () => void limitMs(allowed) };
        return runTransaction(connection, options, () => work(tx));
      }),
    connections: pool.state,
    driver(within) {
      const unsafe = (connection: Connection, text: string, values: unknown[] = []) =>
        telemetry.statement(QUEUE_STATEMENT, undefined, () =>
          send({ connection, allowed: UNLIMITED, inTransaction: true }, text, values, false),
        );
      const tx = within && transactions.get(within);
      return {
        unsafe: (text, values) =>
          tx ? unsafe(tx, text, values) : use((connection) => unsafe(connection, text, values)),
        reserve: () => reserve(use, unsafe),
      };
    },
  };
  return connections;
}

/** Reserves a connection until `release` is called. */
function reserve(
  use: (work: (connection: Connection) => Promise<void>) => Promise<void>,
  unsafe: (on: Connection, text: string, values?: unknown[]) => Promise<unknown>,
): ReturnType<BunSqlLike['reserve']> {
  return new Promise((resolve, reject) => {
    const work = async (connection: Connection) => {
      const released = Promise.withResolvers<void>();
      resolve({
        unsafe: (text, values) =>
          unsafe(connection, text, values).catch((error: unknown) => {
            // The job queue may have sent a BEGIN without its COMMIT. The connection must not be used again.
            connection.retire();
            throw error;
          }),
        release: () => released.resolve(),
      });
      await released.promise;
    };
    use(work).catch(reject);
  });
}

/** Opens the pools. A connection is opened when it is first needed, and again after it was lost. */
export function openDatabase(options: DatabaseOptions): Database {
  const target = parseTarget(options.url);
  const { telemetry, backgroundTelemetry = telemetry } = options;
  const pools: Pool[] = [];
  const open = (
    name: string,
    max: number,
    limits: SessionLimits,
    measured: DatabaseTelemetry,
    allowance: () => Allowance = () => UNLIMITED,
  ) => {
    const pool = createPool({
      name,
      max,
      target,
      limits,
      onConnectionError(error) {
        // This timeout ends the whole connection, usually while no statement is under way.
        if (endedBy(error, false) === 'idle_in_transaction') telemetry.statementEnded('idle_in_transaction');
        options.onConnectionError(error, name);
      },
      onStatementEnded: (by) => telemetry.statementEnded(by),
      onWaited: (seconds) => telemetry.waited(name, seconds),
      onServerSuspected: () => {
        for (const one of pools) one.renew();
      },
    });
    pools.push(pool);
    return { pool, ...createConnections({ pool, target, limits, telemetry: measured, allowance }) };
  };
  const limitsOr = (limits: SessionLimits) => options.limits ?? limits;

  const main = open('main', options.poolMax, limitsOr(REQUEST_LIMITS), telemetry, allowanceOfRequest);
  const side = open('side', 1, limitsOr(SIDE_LIMITS), telemetry);
  const background = open(
    'background',
    BACKGROUND_CONNECTIONS,
    limitsOr(BACKGROUND_LIMITS),
    backgroundTelemetry,
  );
  return {
    ...main,
    ask: createAsk(main),
    side: {
      ...side,
      assertWritable: (withinMs) =>
        side.pool.use(null, withinMs, (connection) => connection.assertWritable(withinMs)),
    },
    background,
    async close(timeoutMs) {
      await Promise.all(pools.map((pool) => pool.close(timeoutMs)));
    },
  };
}
