import {
  type Attributes,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
} from '@opentelemetry/api';
import type { StatementEnd } from '../label-values.ts';
import type { CLIENT_FAMILIES } from './families/clients.ts';
import type { AttributesOf } from './families/family.ts';
import type { Instruments } from './instruments.ts';

/** The telemetry attributes of a statement. They are constant, so each statement declares them once. */
export interface StatementDescription {
  /** SQL verb: `SELECT`, `INSERT`, … */
  readonly operation: string;
  /** The main table, if there is one. */
  readonly collection?: string;
  /** Its name in the code, unique. */
  readonly name: string;
  /** Parameterised text; never with values in it. */
  readonly text: string;
}

/** A statement with its attribute objects built in advance, for the hot path. `describeStatement` makes it. */
export interface Statement extends StatementDescription {
  readonly spanName: string;
  readonly spanAttributes: Attributes;
  readonly metricAttributes: AttributesOf<typeof CLIENT_FAMILIES.databaseDuration>;
}

/** Prepares a statement's telemetry. Call it once per statement, not once per execution. */
export function describeStatement(statement: StatementDescription): Statement {
  const { operation, collection, name, text } = statement;
  const summary = collection === undefined ? operation : `${operation} ${collection}`;
  return {
    ...statement,
    spanName: summary,
    spanAttributes: {
      'db.system.name': 'postgresql',
      'db.operation.name': operation,
      ...(collection !== undefined && { 'db.collection.name': collection }),
      'db.query.summary': summary,
      'db.query.text': text,
      'grantex.statement': name,
    },
    metricAttributes: { 'db.system.name': 'postgresql', 'db.operation.name': operation },
  };
}

export interface DatabaseTelemetry {
  /**
   * Runs one statement inside one CLIENT span with the stable `db.*` attributes, and records its duration. It returns or
   * throws what `run` does. A batch that serves several requests names their spans in `links`.
   */
  statement<T>(
    statement: Statement,
    links: readonly SpanContext[] | undefined,
    run: () => Promise<T>,
  ): Promise<T>;
  /** Reports a pool's connections and its waiting callers at every scrape. Returns the function that ends this. */
  observePool(pool: string, read: () => PoolState): () => void;
  /** A use of the pool got its connection, or gave up, after this many seconds. */
  waited(pool: string, seconds: number): void;
  /** Something ended a statement or a transaction because it took too long. */
  statementEnded(by: StatementEnd): void;
}

export interface PoolState {
  readonly idle: number;
  readonly used: number;
  readonly waiting: number;
}

/** Measures nothing. For commands: they end soon, and the person who runs them sees the result. */
export const NO_DATABASE_TELEMETRY: DatabaseTelemetry = {
  statement: (_statement, _links, run) => run(),
  observePool: () => () => undefined,
  waited: () => undefined,
  statementEnded: () => undefined,
};

/**
 * `now` is a monotonic clock in milliseconds. Without a tracer it records durations and no spans. Background work outside
 * requests has no tracer, because every poll of a queue would otherwise begin a new trace.
 */
export function createDatabaseTelemetry(
  instruments: Instruments,
  tracer: Tracer | null,
  now: () => number = () => performance.now(),
): DatabaseTelemetry {
  const { guard, databaseDuration, databaseConnections, databaseWaiting, databaseWait, statementsEnded } =
    instruments;

  return {
    async statement(statement, links, run) {
      const begun = now();
      let span: Span | undefined;
      guard.run(() => {
        span = tracer?.startSpan(statement.spanName, {
          kind: SpanKind.CLIENT,
          attributes: statement.spanAttributes,
          ...(links !== undefined && links.length > 0 && { links: links.map((context) => ({ context })) }),
        });
      });
      let labels = statement.metricAttributes;
      try {
        return await run();
      } catch (error) {
        const failure = describeFailure(error);
        labels = { ...labels, 'error.type': failure.label };
        guard.run(() => {
          span?.setAttribute('error.type', failure.type);
          if (failure.sqlState) span?.setAttribute('db.response.status_code', failure.sqlState);
          span?.setStatus({ code: SpanStatusCode.ERROR });
        });
        throw error;
      } finally {
        guard.run(() => databaseDuration.record((now() - begun) / 1000, labels));
        guard.run(() => span?.end());
      }
    },

    observePool(pool, read) {
      const labels = (state: 'idle' | 'used') => ({
        'db.client.connection.pool.name': pool,
        'db.client.connection.state': state,
      });
      const [idle, used, waiting] = [labels('idle'), labels('used'), poolLabels(pool)];
      const observeOpen: Parameters<typeof databaseConnections.addCallback>[0] = (result) =>
        guard.run(() => {
          const count = read();
          result.observe(count.idle, idle);
          result.observe(count.used, used);
        });
      const observeWaiting: Parameters<typeof databaseWaiting.addCallback>[0] = (result) =>
        guard.run(() => result.observe(read().waiting, waiting));
      databaseConnections.addCallback(observeOpen);
      databaseWaiting.addCallback(observeWaiting);
      return () => {
        databaseConnections.removeCallback(observeOpen);
        databaseWaiting.removeCallback(observeWaiting);
      };
    },

    waited(pool, seconds) {
      guard.run(() => databaseWait.record(seconds, poolLabels(pool)));
    },

    statementEnded(by) {
      guard.run(() => statementsEnded.add(1, { by }));
    },
  };
}

/** One object for each pool, because it is recorded with every statement. */
type PoolLabels = AttributesOf<typeof CLIENT_FAMILIES.databaseWait>;
const POOL_LABELS = new Map<string, PoolLabels>();
function poolLabels(pool: string): PoolLabels {
  let labels = POOL_LABELS.get(pool);
  if (!labels) {
    labels = { 'db.client.connection.pool.name': pool };
    POOL_LABELS.set(pool, labels);
  }
  return labels;
}

/** The label is the class of an SQLSTATE, its first two characters: there are some forty classes and hundreds of codes. */
function describeFailure(error: unknown): { type: string; label: string; sqlState?: string } {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code))
    return { type: code, label: `SQLSTATE ${code.slice(0, 2)}`, sqlState: code };
  // The driver's own failures (CONNECTION_CLOSED, …) and the system's (ECONNREFUSED, …): closed sets of constants.
  if (typeof code === 'string' && /^[A-Z][A-Z_]{2,40}$/.test(code)) return { type: code, label: code };
  const name = error instanceof Error ? error.name : '_OTHER';
  return { type: name, label: name };
}
