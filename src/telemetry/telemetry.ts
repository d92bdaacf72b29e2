import type { Meter, ObservableCallback, Tracer } from '@opentelemetry/api';
import { type Attempts, createAttempts } from './attempts.ts';
import { createCachedReading } from './cached-gauge.ts';
import { createDatabaseTelemetry, type DatabaseTelemetry } from './database.ts';
import { createEvents, type Events } from './events.ts';
import { createInstruments, type Instruments } from './instruments.ts';
import type { Logger } from './logger.ts';
import { createInSpan, type InSpan } from './span.ts';

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
  readonly database: DatabaseTelemetry;
  readonly instruments: Instruments;
  readonly logger: Logger;
  /**
   * Feeds the gauge of active grants from `read`, which is called at most every 5 s and only when somebody scrapes.
   * Returns the function that ends this; call it before the database is closed.
   */
  observeActiveGrants(read: () => Promise<number>): () => void;
}

/** Puts the telemetry of the service together. Call once per process: instruments are created here. */
export function createTelemetry({ meter, tracer, logger, capturePrincipal }: TelemetryOptions): Telemetry {
  const instruments = createInstruments(meter);
  const events = createEvents(instruments, logger, { capturePrincipal });
  return {
    events,
    attempts: createAttempts(instruments),
    inSpan: createInSpan(tracer, instruments.guard),
    database: createDatabaseTelemetry(instruments, tracer),
    instruments,
    logger,
    observeActiveGrants(read) {
      const reading = createCachedReading({
        read,
        onError: (error) => events.metricsCollectionFailed({ metric: 'grantex_active_grants', error }),
      });
      const callback: ObservableCallback = async (result) => {
        const value = await reading.observe();
        if (value !== undefined) result.observe(value);
      };
      instruments.activeGrants.addCallback(callback);
      return () => instruments.activeGrants.removeCallback(callback);
    },
  };
}
