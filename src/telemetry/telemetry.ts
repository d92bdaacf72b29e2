/**
 * Telemetry: says what happened, as counters, log lines and spans. The rest of the service calls events, attempts and
 * spans; only this folder records into instruments. It knows OpenTelemetry's API and no SDK. `families/` is the catalogue of
 * metrics, `events.ts` that of events.
 */
import type {
  Meter,
  ObservableCallback,
  ObservableGauge,
  ObservableResult,
  Tracer,
} from '@opentelemetry/api';
import type { RetentionTable } from '../label-values.ts';
import { createAgentInfo, type NamedAgent } from './agent-info.ts';
import type { AgentSeries } from './agent-series.ts';
import { type Attempts, createAttempts } from './attempts.ts';
import { createCachedReading } from './cached-reading.ts';
import { createDatabaseTelemetry, type DatabaseTelemetry } from './database.ts';
import { createEvents, type Events } from './events.ts';
import { type Feeds, observeFeeds } from './feeds.ts';
import { createInstruments, type Instruments } from './instruments.ts';
import type { Logger } from './logger.ts';
import { createRedisTelemetry, type RedisTelemetry } from './redis.ts';
import { observeSigningKeys, type SigningKeys } from './signing-keys.ts';
import { createInLinkedSpan, createInSpan, type InLinkedSpan, type InSpan } from './span.ts';

export interface TelemetryOptions {
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly logger: Logger;
  /** Allows `grantex.principal_id` on spans (`OTEL_CAPTURE_PRINCIPAL`). */
  readonly capturePrincipal: boolean;
}

/** All the service needs to say what happened. None of it ever throws because of telemetry. */
export interface Telemetry {
  readonly events: Events;
  readonly attempts: Attempts;
  readonly inSpan: InSpan;
  readonly inLinkedSpan: InLinkedSpan;
  readonly database: DatabaseTelemetry;
  /** Of work that belongs to no request: durations and no spans. */
  readonly databaseInBackground: DatabaseTelemetry;
  readonly redis: RedisTelemetry;
  readonly instruments: Instruments;
  /** Decides which agents have series of their own. */
  readonly agentSeries: AgentSeries;
  readonly logger: Logger;
  /**
   * Feeds the gauge of active grants from `read`, which is called at most every 5 s and only when somebody scrapes.
   * Returns the function that ends this; call it before the database is closed.
   */
  observeActiveGrants(read: () => Promise<number>): () => void;
  /** The same for grants that are dead by a removal and whose rows are still to be revoked. */
  observeRemovalPending(read: () => Promise<number>): () => void;
  /** The same for how long the oldest webhook delivery that is due has been due, in seconds. */
  observeOldestPendingDelivery(read: () => Promise<number>): () => void;
  /** The same for anomalies that nobody has acknowledged. */
  observeUnacknowledgedAnomalies(read: () => Promise<number>): () => void;
  /** The same for the names of agents that have series of their own. */
  observeAgents(read: () => Promise<readonly NamedAgent[]>): () => void;
  /** The same for how long the oldest row of each table that ought to be removed has been due, in seconds. */
  observeRetention(read: () => Promise<Readonly<Record<RetentionTable, number>>>): () => void;
  /** Reports at every scrape who follows the feeds of this replica. Returns the function that ends this. */
  observeFeeds(read: Feeds): () => void;
  /** Reports at every scrape what this replica knows of the signing keys. Returns the function that ends this. */
  observeSigningKeys(read: () => SigningKeys): () => void;
}

/** Puts the telemetry of the service together. Call once per process: instruments are created here. */
export function createTelemetry({ meter, tracer, logger, capturePrincipal }: TelemetryOptions): Telemetry {
  const instruments = createInstruments(meter);
  const events = createEvents(instruments, logger, { capturePrincipal });
  const observeEach =
    <T>(gauge: ObservableGauge, metric: string, tell: (value: T, result: ObservableResult) => void) =>
    (read: () => Promise<T>) => {
      const reading = createCachedReading({
        read,
        onError: (error) => events.metricsCollectionFailed({ metric, error }),
      });
      const callback: ObservableCallback = async (result) => {
        const value = await reading.observe();
        if (value !== undefined) tell(value, result);
      };
      gauge.addCallback(callback);
      return () => gauge.removeCallback(callback);
    };
  const observe = (gauge: ObservableGauge, metric: string) =>
    observeEach<number>(gauge, metric, (value, result) => result.observe(value));
  return {
    events,
    attempts: createAttempts(instruments),
    inSpan: createInSpan(tracer, instruments.guard),
    inLinkedSpan: createInLinkedSpan(tracer, instruments.guard),
    database: createDatabaseTelemetry(instruments, tracer),
    databaseInBackground: createDatabaseTelemetry(instruments, null),
    redis: createRedisTelemetry(instruments, logger),
    instruments,
    agentSeries: instruments.agentSeries,
    logger,
    observeActiveGrants: observe(instruments.activeGrants, 'grantex_active_grants'),
    observeRemovalPending: observe(instruments.removalPending, 'grantex_grants_removal_pending'),
    observeOldestPendingDelivery: observe(
      instruments.oldestPendingDelivery,
      'grantex_webhook_oldest_pending_seconds',
    ),
    observeUnacknowledgedAnomalies: observe(
      instruments.unacknowledgedAnomalies,
      'grantex_anomalies_unacknowledged',
    ),
    observeAgents: observeEach<readonly NamedAgent[]>(
      instruments.agentInfo,
      'grantex_agent_info',
      createAgentInfo(),
    ),
    observeRetention: observeEach<Readonly<Record<RetentionTable, number>>>(
      instruments.retentionOldest,
      'grantex_retention_oldest_seconds',
      (oldest, result) => {
        for (const [table, seconds] of Object.entries(oldest)) result.observe(seconds, { table });
      },
    ),
    observeFeeds: (read) => observeFeeds(instruments, read),
    observeSigningKeys: (read) => observeSigningKeys(instruments, read),
  };
}
