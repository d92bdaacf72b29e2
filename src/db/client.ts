/**
 * The database client: every statement of the service goes through it. Rooms declare statements (`query.ts`,
 * `column-types.ts`) and run them on a `Queryable`; `batch.ts` lets requests share one.
 *
 * `client.ts` opens three pools (`pool.ts`, `fair-queue.ts`) for requests, for health and gauges, and for the background.
 * `connection.ts`, `link.ts`, `open-connection.ts`, `socket.ts`, `handshake.ts` and `cancel.ts` are one connection.
 * `errors.ts` and `closing-error.ts` say what a failure proves, `limits.ts` has the time limits of sessions. `migrate.ts` brings
 * the schema up to date, and `job-queue.ts` is the queue of webhook deliveries.
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
  /** A connection of its own, so that health and gauges are not queued behind the requests. */
  readonly side: Side;
  /** Connections of their own for work that no request waits for: neither can hold up the other. */
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

/** Less than the time of a request's statements, so that a request that gets a connection has some of it left. */
const WAIT_MS = 1_800;
/** One that looks for webhooks to deliver, one that says what became of them, and one that looks for anomalies. */
const BACKGROUND_CONNECTIONS = 3;

/** What the job queue runs has texts of its own, so it is measured as one kind of statement. */
const QUEUE_STATEMENT = describeStatement({ operation: 'QUEUE', name: 'queue', text: '' });

/** Whose work it is, and how much time it has left; work outside requests has all the time of its pool. */
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
  /** What fails before the COMMIT is rolled back for certain. */
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

/** A connection of one's own until `release`. */
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
            // It may have failed between a BEGIN and a COMMIT of its own.
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

/** Opens the pools; connections are made when they are first needed, and again after they were lost. */
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
        // It ends with its connection, most often while no statement is under way.
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
