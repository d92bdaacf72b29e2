import type { Row } from './dashboard.ts';
import { graph, stat } from './panels.ts';
import { count, orZero, perSecond, quantile, series, share } from './queries.ts';
import { MORE_SIGNALS } from './signals.ts';

const DATABASE = 'db_client_operation_duration_seconds';
const REDIS = 'redis_client_operation_duration_seconds';

export const saturation: Row = {
  title: 'What it stands on',
  panels: [
    graph({
      title: 'Database latency p99',
      description:
        'Of statements, by verb, waiting for the batch included. Slow: look at the connections beside it, then at pg_stat_activity and pg_stat_statements.',
      unit: 's',
      width: 8,
      queries: [{ expr: quantile(0.99, DATABASE, [], 'db_operation_name'), legend: '{{db_operation_name}}' }],
      noValue: 'no statements',
    }),
    graph({
      title: 'Database connections',
      description:
        'By pool and state, all replicas together. No idle ones for long: see below whether somebody waits for one, and for how long.',
      unit: 'none',
      width: 8,
      queries: [
        {
          expr: `sum by (db_client_connection_pool_name, db_client_connection_state) (${series('db_client_connection_count')})`,
          legend: '{{db_client_connection_pool_name}}: {{db_client_connection_state}}',
        },
      ],
    }),
    graph({
      title: 'Database errors',
      description:
        'Share of statements that failed, constraints not counted. Dashed lines are where the alert begins. The log lines database.connection_error and request.failed say why.',
      unit: 'percentunit',
      width: 8,
      queries: [
        {
          expr: share(
            orZero(perSecond(series(`${DATABASE}_count`, 'error_type!=""', 'error_type!~"SQLSTATE 2[23]"'))),
            perSecond(series(`${DATABASE}_count`)),
          ),
          legend: 'failed',
        },
      ],
      signal: MORE_SIGNALS.databaseErrors,
      noValue: 'no statements',
    }),
    graph({
      title: 'Callers waiting for a connection',
      description:
        'As of the scrape, by pool, all replicas together. Above 0 for long: the statements that keep the connections are slow or wait for a lock, or DATABASE_POOL_MAX is too small.',
      unit: 'none',
      width: 8,
      decimals: 0,
      runbooks: MORE_SIGNALS.databaseWaitP95Seconds.alerts,
      queries: [{ expr: `sum by (pool) (${series('db_client_connection_waiting')})`, legend: '{{pool}}' }],
    }),
    graph({
      title: 'Wait for a connection p95',
      description:
        'Of requests, by replica; who finds an idle connection waits 0 seconds. Dashed lines are where the alert begins, and after 1.8 s a request gives up with 503. One replica alone: look at it; all: look at the database.',
      unit: 's',
      width: 8,
      queries: [
        {
          expr: quantile(0.95, 'db_client_connection_wait_seconds', ['pool="main"'], 'instance'),
          legend: '{{instance}}',
        },
      ],
      signal: MORE_SIGNALS.databaseWaitP95Seconds,
      noValue: 'no statements',
    }),
    graph({
      title: 'Statements ended in the 5 minutes before',
      description:
        'For the time that they took, by what ended them; 0 is the rule. Dashed lines are where the alert begins. lock_timeout: somebody holds a lock; cancel: the same, or the server is slow; statement_timeout and idle_in_transaction: a replica was frozen or is late.',
      unit: 'none',
      width: 8,
      decimals: 0,
      queries: [
        {
          expr: `floor(${count(series('grantex_statements_ended_total'), 'by', '5m')})`,
          legend: '{{by}}',
        },
      ],
      signal: MORE_SIGNALS.statementsEndedPer5Minutes,
    }),
    graph({
      title: 'Event loop in use',
      description: 'Share of time that each replica computes. Above 0.8 for long: add a replica.',
      unit: 'percentunit',
      width: 8,
      max: 1,
      queries: [{ expr: series('nodejs_eventloop_utilization_ratio'), legend: '{{instance}}' }],
    }),
    graph({
      title: 'Event loop delay p99',
      description: 'How late timers are. Above 100 ms: something long runs in one piece; take a CPU profile.',
      unit: 's',
      width: 8,
      queries: [{ expr: series('nodejs_eventloop_delay_p99_seconds'), legend: '{{instance}}' }],
    }),
    graph({
      title: 'Heap in use',
      description:
        'All spaces of each replica. It goes up and down with garbage collection; lows that rise for hours are a leak: take a heap snapshot.',
      unit: 'bytes',
      width: 8,
      queries: [
        { expr: `sum by (instance) (${series('v8js_memory_heap_used_bytes')})`, legend: '{{instance}}' },
      ],
    }),
    graph({
      title: 'Database errors by kind',
      description:
        'A minute, by SQLSTATE class or by the failure of the connection. 08 and CONNECTION_…: the server or the way to it; 53: it is out of something; 57: it is shutting down.',
      unit: 'cpm',
      width: 8,
      runbooks: MORE_SIGNALS.databaseErrors.alerts,
      queries: [
        {
          expr: `60 * ${perSecond(series(`${DATABASE}_count`, 'error_type!=""'), 'error_type')}`,
          legend: '{{error_type}}',
        },
      ],
      noValue: 'none',
    }),
    graph({
      title: 'Signing keys last read',
      description:
        'How old the knowledge of the signing keys is, by replica; they are read every ten seconds. Older: that replica signs with what it knew last. Look at its way to the database.',
      unit: 's',
      width: 8,
      queries: [{ expr: series('grantex_signing_keys_read_age_seconds'), legend: '{{instance}}' }],
      signal: MORE_SIGNALS.signingKeysReadSeconds,
    }),
    stat({
      title: 'Age of the signing key',
      description:
        'For how long one key has signed every token. After 90 days: npm run keys -- rotate. Tokens signed with the old key stay good.',
      unit: 's',
      width: 4,
      height: 8,
      queries: [{ expr: `max(${series('grantex_signing_key_age_seconds')})` }],
      runbooks: ['SigningKeyOld'],
    }),
    stat({
      title: 'Signing keys known',
      description:
        'By the replica that knows fewest. 0: it can neither sign nor verify, and every exchange there fails; see the runbook.',
      unit: 'none',
      width: 4,
      height: 8,
      decimals: 0,
      queries: [{ expr: `min(${series('grantex_signing_keys')})` }],
      runbooks: ['SigningKeyMissing'],
    }),
    graph({
      title: 'Redis latency p99',
      description:
        'Of calls that were answered, by replica; after 250 ms a call has failed. Slow: look at SLOWLOG, and at what else is done in that Redis.',
      unit: 's',
      width: 12,
      queries: [{ expr: quantile(0.99, REDIS, ['outcome="ok"'], 'instance'), legend: '{{instance}}' }],
      noValue: 'no calls',
    }),
    graph({
      title: 'Failed calls of Redis',
      description:
        'A minute, by replica and outcome. Sixty and no fewer: that replica probes once a second, and counts rate limits for itself. The log line redis.connection_error says why.',
      unit: 'cpm',
      width: 12,
      runbooks: ['RedisUnavailable'],
      queries: [
        {
          expr: `60 * ${perSecond(series(`${REDIS}_count`, 'outcome!="ok"'), 'instance, outcome')}`,
          legend: '{{instance}}: {{outcome}}',
        },
      ],
      noValue: 'none',
    }),
  ],
};
