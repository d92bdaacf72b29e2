import type { Row } from './dashboard.ts';
import { graph } from './panels.ts';
import { perSecond, quantile, series } from './queries.ts';

const DATABASE = 'db_client_operation_duration_seconds';

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
        'By pool and state, all replicas together. No idle ones for long: raise DATABASE_POOL_MAX, or find the statement that holds them.',
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
        'Failed statements, by SQLSTATE class or by the failure of the connection. 08 and CONNECTION_…: the server or the way to it; 53: it is out of something; 57: it is shutting down.',
      unit: 'ops',
      width: 8,
      queries: [
        {
          expr: perSecond(series(`${DATABASE}_count`, 'error_type!=""'), 'error_type'),
          legend: '{{error_type}}',
        },
      ],
      noValue: 'none',
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
  ],
};
