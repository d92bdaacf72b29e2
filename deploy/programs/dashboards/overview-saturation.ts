import { RETENTION_TABLES, STATEMENT_ENDS, TRANSPORTS } from '../../../src/label-values.ts';
import type { Row } from './dashboard.ts';
import { graph, stat } from './panels.ts';
import { count, orZero, perSecond, quantile, series, share } from './queries.ts';
import { MORE_SIGNALS } from './signals.ts';

const DATABASE = 'db_client_operation_duration_seconds';
/** The pools of database connections. */
const POOLS = ['main', 'side', 'background'];
const REDIS = 'redis_client_operation_duration_seconds';

export const saturation: Row = {
  title: 'Database, process, keys and Redis',
  panels: [
    graph({
      title: 'Database latency p99',
      description:
        'Latency of statements by verb. It includes the wait for the batch. If it is high, look at the connections in the next panel, then at pg_stat_activity and pg_stat_statements.',
      unit: 's',
      width: 8,
      queries: [{ expr: quantile(0.99, DATABASE, [], 'db_operation_name'), legend: '{{db_operation_name}}' }],
      noValue: 'no statements',
    }),
    graph({
      title: 'Database connections',
      description:
        'By pool and state, all replicas together. If no connection is idle for long, the panels below show whether callers wait, and for how long.',
      unit: 'none',
      width: 8,
      queries: [
        {
          expr: `sum by (db_client_connection_pool_name, db_client_connection_state) (${series('db_client_connection_count')})`,
          legend: '{{db_client_connection_pool_name}}: {{db_client_connection_state}}',
          names: POOLS.flatMap((pool) => ['idle', 'used'].map((state) => `${pool}: ${state}`)),
        },
      ],
    }),
    graph({
      title: 'Database errors',
      description:
        'Share of statements that failed. Violated constraints do not count. The alert begins at the dashed lines. The log lines database.connection_error and request.failed say why.',
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
        'Number at the time of the scrape, by pool, all replicas together. If it stays above 0, the running statements are slow or wait for a lock, or DATABASE_POOL_MAX is too small.',
      unit: 'none',
      width: 8,
      decimals: 0,
      runbooks: MORE_SIGNALS.databaseWaitP95Seconds.alerts,
      queries: [
        {
          expr: `sum by (pool) (${series('db_client_connection_waiting')})`,
          legend: '{{pool}}',
          names: POOLS,
        },
      ],
    }),
    graph({
      title: 'Wait for a connection p95',
      description:
        'Wait of requests, by replica. A request that finds an idle connection waits 0 seconds. The alert begins at the dashed lines. After 1.8 s a request gives up with 503. If one replica waits, look at that replica. If all wait, look at the database.',
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
        'Statements that took too long, by what ended them. The normal value is 0. The alert begins at the dashed lines. lock_timeout: another session holds a lock. cancel: another session holds a lock, or the server is slow. statement_timeout and idle_in_transaction: a replica was frozen or is late.',
      unit: 'none',
      width: 8,
      decimals: 0,
      queries: [
        {
          expr: `floor(${count(series('grantex_statements_ended_total'), 'by', '5m')})`,
          legend: '{{by}}',
          names: STATEMENT_ENDS,
        },
      ],
      signal: MORE_SIGNALS.statementsEndedPer5Minutes,
    }),
    graph({
      title: 'Event loop in use',
      description: 'Share of time that each replica computes. If it stays above 0.8, add a replica.',
      unit: 'percentunit',
      width: 8,
      max: 1,
      queries: [{ expr: series('nodejs_eventloop_utilization_ratio'), legend: '{{instance}}' }],
    }),
    graph({
      title: 'Event loop delay p99',
      description:
        'How late timers are. Above 100 ms, a long computation blocks the loop: take a CPU profile.',
      unit: 's',
      width: 8,
      queries: [{ expr: series('nodejs_eventloop_delay_p99_seconds'), legend: '{{instance}}' }],
    }),
    graph({
      title: 'Heap in use',
      description:
        'All heap spaces of each replica. The value rises and falls with garbage collection. If the lows rise for hours, there is a leak: take a heap snapshot.',
      unit: 'bytes',
      width: 8,
      queries: [
        { expr: `sum by (instance) (${series('v8js_memory_heap_used_bytes')})`, legend: '{{instance}}' },
      ],
    }),
    graph({
      title: 'Database errors by kind',
      description:
        'Errors a minute, by SQLSTATE class or by the failure of the connection. 08 and CONNECTION_…: the server or the network is down. 53: the server has run out of a resource. 57: the server is shutting down.',
      unit: 'cpm',
      width: 8,
      runbooks: MORE_SIGNALS.databaseErrors.alerts,
      queries: [
        {
          expr: `60 * ${perSecond(series(`${DATABASE}_count`, 'error_type!=""'), 'error_type')}`,
          legend: '{{error_type}}',
          shades: [['.+', 'red']],
        },
      ],
      noValue: 'none',
    }),
    graph({
      title: 'Signing keys last read',
      description:
        'Time since each replica last read the signing keys. It reads them every five seconds. A replica with a higher value signs with the keys that it read last: check its connection to the database.',
      unit: 's',
      width: 8,
      queries: [{ expr: series('grantex_signing_keys_read_age_seconds'), legend: '{{instance}}' }],
      signal: MORE_SIGNALS.signingKeysReadSeconds,
    }),
    stat({
      title: 'Age of the signing key',
      description:
        'Time for which one key has signed every token. After 90 days, run npm run keys -- rotate. Tokens signed with the old key stay valid.',
      unit: 's',
      width: 4,
      height: 8,
      queries: [{ expr: `max(${series('grantex_signing_key_age_seconds')})` }],
      runbooks: ['SigningKeyOld'],
    }),
    stat({
      title: 'Signing keys known',
      description:
        'Keys that the replica with the fewest keys knows. At 0 it can neither sign nor verify, and every exchange there fails: see the runbook.',
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
        'Latency of answered calls, by replica. A call fails after 250 ms. If it is high, look at SLOWLOG and at the other users of that Redis.',
      unit: 's',
      width: 12,
      queries: [{ expr: quantile(0.99, REDIS, ['outcome="ok"'], 'instance'), legend: '{{instance}}' }],
      noValue: 'no calls',
    }),
    graph({
      title: 'Failed calls of Redis',
      description:
        'Calls a minute, by replica and outcome. At sixty, that replica probes once a second and counts rate limits alone. The log line redis.connection_error says why.',
      unit: 'cpm',
      width: 12,
      runbooks: ['RedisUnavailable'],
      queries: [
        {
          expr: `60 * ${perSecond(series(`${REDIS}_count`, 'outcome!="ok"'), 'instance, outcome')}`,
          legend: '{{instance}}: {{outcome}}',
          shades: [
            [': error$', 'red'],
            [': timeout$', 'orange'],
          ],
        },
      ],
      noValue: 'none',
    }),
    graph({
      title: 'Verifiers that follow the revocation feed',
      description:
        'Open streams and waiting polls, of all replicas. A fall to none means that verifiers cannot follow.',
      unit: 'none',
      width: 8,
      queries: [
        {
          expr: `sum by (transport) (${series('grantex_revocation_feed_clients')})`,
          legend: '{{transport}}',
          names: TRANSPORTS,
        },
      ],
      runbooks: ['RevocationFeedLagging'],
    }),
    graph({
      title: 'Age of revocations when they reach verifiers',
      description:
        'The greatest of the last minute, or of what still waits. Usually below a second; it rises while the feed cannot be read.',
      unit: 's',
      width: 8,
      runbooks: ['RevocationFeedLagging'],
      queries: [
        {
          expr: `max by (transport) (${series('grantex_revocation_feed_lag_seconds')})`,
          legend: '{{transport}}',
          names: TRANSPORTS,
        },
      ],
    }),
    graph({
      title: 'Clients that follow the event stream',
      description:
        'Open streams of events, of all replicas. A fall to none means that nobody hears of events, except by webhooks.',
      unit: 'none',
      width: 8,
      queries: [
        {
          expr: `sum by (transport) (${series('grantex_event_stream_clients')})`,
          legend: '{{transport}}',
          names: TRANSPORTS,
        },
      ],
    }),
    graph({
      title: 'Rows removed by retention',
      description:
        'Rows a second that had ended long enough ago, by table. After an upgrade or a lowered retention it is high until the backlog has gone.',
      unit: 'ops',
      width: 12,
      queries: [
        {
          expr: perSecond(series('grantex_retention_removed_total'), 'table'),
          legend: '{{table}}',
          names: RETENTION_TABLES,
        },
      ],
      runbooks: ['RetentionBehind'],
    }),
    graph({
      title: 'Oldest row that ought to have gone',
      description:
        'Time for which it has been due for removal, by table. Usually below a minute. If it rises for hours, the table grows: see the runbook.',
      unit: 's',
      width: 12,
      runbooks: ['RetentionBehind'],
      queries: [
        {
          expr: `max by (table) (${series('grantex_retention_oldest_seconds')})`,
          legend: '{{table}}',
          names: RETENTION_TABLES,
        },
      ],
    }),
  ],
};
