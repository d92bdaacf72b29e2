import type {
  Attributes,
  Counter,
  Histogram,
  Meter,
  ObservableGauge,
  ObservableUpDownCounter,
} from '@opentelemetry/api';
import { ANOMALY_SEVERITIES, ATTEMPT_OUTCOMES, STATEMENT_ENDS } from '../closed-sets.ts';
import { LIMITER_NAMES } from '../config.ts';
import { createGuard, type Guard } from './guard.ts';

interface Description {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
}
interface CounterDescription extends Description {
  /** Every value of a closed label set: recorded with 0 at the start, so that `rate()` sees the first event. */
  readonly seeds: readonly Attributes[];
}

const seeds = (label: string, ...values: readonly string[]): Attributes[] =>
  values.map((value) => ({ [label]: value }));

/** The counters. Adding a family is one entry here and one in instrumentation/catalogue.ts. */
const COUNTERS = {
  tokenExchanges: {
    name: 'grantex.token_exchange',
    unit: '{attempt}',
    description: 'Token exchange attempts that have ended, by outcome. 401 and 429 are not attempts.',
    seeds: seeds('status', 'success', 'error'),
  },
  authorizations: {
    name: 'grantex.authorize',
    unit: '{attempt}',
    description:
      'Authorization requests that have ended, by outcome; denied is a refusal by policy. 401 and 429 are not attempts.',
    seeds: seeds('status', 'success', 'denied', 'error'),
  },
  tokenRefreshes: {
    name: 'grantex.token_refresh',
    unit: '{attempt}',
    description: 'Token refresh attempts that have ended, by outcome. 401 and 429 are not attempts.',
    seeds: seeds('status', 'success', 'error'),
  },
  tokenVerifications: {
    name: 'grantex.token_verification',
    unit: '{token}',
    description: 'Tokens verified online, by result.',
    seeds: seeds('result', 'valid', 'invalid'),
  },
  grantsCreated: {
    name: 'grantex.grants.created',
    unit: '{grant}',
    description: 'Grants created, by origin.',
    seeds: seeds('origin', 'consent', 'delegation'),
  },
  grantsRevoked: {
    name: 'grantex.grants.revoked',
    unit: '{grant}',
    description: 'Grants that went from active to revoked, cascades included.',
    seeds: [{}],
  },
  consentDecisions: {
    name: 'grantex.consent.decisions',
    unit: '{decision}',
    description: 'Decisions of principals on consent requests.',
    seeds: seeds('decision', 'approved', 'denied'),
  },
  webhookDeliveries: {
    name: 'grantex.webhook.deliveries',
    unit: '{delivery}',
    description: 'Webhook deliveries that reached their end, by outcome.',
    seeds: seeds('status', 'delivered', 'failed'),
  },
  webhookAttempts: {
    name: 'grantex.webhook.attempts',
    unit: '{attempt}',
    description: 'Attempts to deliver a webhook, by outcome.',
    seeds: seeds('outcome', ...ATTEMPT_OUTCOMES),
  },
  anomaliesDetected: {
    name: 'grantex.anomalies.detected',
    unit: '{anomaly}',
    description: 'Anomalies opened, by type and severity; seeing an open one again counts nothing.',
    seeds: Object.entries(ANOMALY_SEVERITIES).map(([type, severity]) => ({ type, severity })),
  },
  rateLimited: {
    name: 'grantex.rate_limited',
    unit: '{request}',
    description: 'Requests refused with 429, by limiter.',
    seeds: seeds('endpoint', ...LIMITER_NAMES),
  },
  statementsEnded: {
    name: 'grantex.statements.ended',
    unit: '{statement}',
    description:
      'Database statements and transactions that were ended for the time they took, by what ended them.',
    seeds: seeds('by', ...STATEMENT_ENDS),
  },
  collectionErrors: {
    name: 'grantex.metrics.collection_errors',
    unit: '{error}',
    description: 'Failures while reading or writing out metrics.',
    seeds: [{}],
  },
} satisfies Record<string, CounterDescription>;

const HISTOGRAMS = {
  tokenExchangeDuration: {
    name: 'grantex.token_exchange.duration',
    unit: 's',
    description: 'Duration of every counted token exchange attempt, failures too, in seconds.',
  },
  authorizeDuration: {
    name: 'grantex.authorize.duration',
    unit: 's',
    description: 'Duration of every counted authorization request, failures too, in seconds.',
  },
  databaseDuration: {
    name: 'db.client.operation.duration',
    unit: 's',
    description: 'Duration of database client operations, in seconds.',
  },
  databaseWait: {
    name: 'db.client.connection.wait_time',
    unit: 's',
    description: 'How long callers waited for a database connection, in seconds, by pool.',
  },
} satisfies Record<string, Description>;

/** Every instrument of the service. Only `src/telemetry` records into them: the rest of the service calls events. */
export type Instruments = { readonly [name in keyof typeof COUNTERS]: Counter } & {
  readonly [name in keyof typeof HISTOGRAMS]: Histogram;
} & {
  readonly activeGrants: ObservableGauge;
  readonly oldestPendingDelivery: ObservableGauge;
  readonly unacknowledgedAnomalies: ObservableGauge;
  readonly signingKeys: ObservableGauge;
  readonly signingKeyAge: ObservableGauge;
  readonly signingKeysReadAge: ObservableGauge;
  readonly databaseConnections: ObservableUpDownCounter;
  readonly databaseWaiting: ObservableUpDownCounter;
  /** Swallows and counts what the recording of telemetry throws. */
  readonly guard: Guard;
};

/**
 * Creates every instrument on `meter` and records 0 for each closed label set. Names and units follow OpenTelemetry's
 * conventions; the names of the exposition come from the views of `instrumentation/`.
 */
export function createInstruments(meter: Meter): Instruments {
  const guard = createGuard();
  const create = <K extends string, D extends Description, I>(
    descriptions: Record<K, D>,
    one: (description: D) => I,
  ) =>
    Object.fromEntries(
      Object.entries<D>(descriptions).map(([key, description]) => [key, one(description)]),
    ) as Record<K, I>;

  const counters = create(COUNTERS, ({ name, unit, description, seeds }: CounterDescription) => {
    const counter = meter.createCounter(name, { unit, description });
    for (const labels of seeds) guard.run(() => counter.add(0, labels));
    return counter;
  });
  const histograms = create(HISTOGRAMS, ({ name, ...options }: Description) =>
    meter.createHistogram(name, options),
  );
  meter
    .createObservableCounter('grantex.telemetry.faults', {
      unit: '{fault}',
      description: 'Errors thrown while recording telemetry; they were swallowed, the requests went on.',
    })
    .addCallback((result) => result.observe(guard.faults()));

  return {
    ...counters,
    ...histograms,
    activeGrants: meter.createObservableGauge('grantex.grants.active', {
      unit: '{grant}',
      description:
        'Grants that are active and not expired, in the whole database; every replica reports the same value.',
    }),
    oldestPendingDelivery: meter.createObservableGauge('grantex.webhook.oldest_pending', {
      unit: 's',
      description:
        'How long the oldest webhook delivery that is due has been due, in seconds, in the whole database; 0: none is due.',
    }),
    unacknowledgedAnomalies: meter.createObservableGauge('grantex.anomalies.unacknowledged', {
      unit: '{anomaly}',
      description:
        'Anomalies that nobody has acknowledged, in the whole database; every replica reports the same value.',
    }),
    signingKeys: meter.createObservableGauge('grantex.signing_keys', {
      unit: '{key}',
      description: 'Keys that this replica publishes; 0: it can sign nothing.',
    }),
    signingKeyAge: meter.createObservableGauge('grantex.signing_key.age', {
      unit: 's',
      description: 'How long the key that this replica signs with has been the one that signs, in seconds.',
    }),
    signingKeysReadAge: meter.createObservableGauge('grantex.signing_keys.read_age', {
      unit: 's',
      description: 'How long ago this replica last read the signing keys from the database, in seconds.',
    }),
    databaseConnections: meter.createObservableUpDownCounter('db.client.connection.count', {
      unit: '{connection}',
      description: 'Open database connections, by state.',
    }),
    databaseWaiting: meter.createObservableUpDownCounter('db.client.connection.pending_requests', {
      unit: '{request}',
      description: 'Callers that wait for a database connection now, by pool.',
    }),
    guard,
  };
}
