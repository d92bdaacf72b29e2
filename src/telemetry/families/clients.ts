import { REDIS_OUTCOMES, STATEMENT_ENDS } from '../../label-values.ts';
import { type Family, oneOf } from './family.ts';

const DATABASE_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
/** Nobody waits for a connection longer than 1.8 s (`db/client.ts`). */
const WAIT_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2];
/** The service gives up a call after 250 ms. */
const REDIS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5];

const POOL = { as: 'pool', text: 'Pool of database connections: main, side or background.' } as const;

/** What the service does as a client of PostgreSQL and Redis. */
export const CLIENT_FAMILIES = {
  statementsEnded: {
    name: 'grantex_statements_ended_total',
    instrument: 'grantex.statements.ended',
    kind: 'counter',
    unit: '{statement}',
    help: 'Database statements and transactions that were ended for the time they took, by what ended them.',
    labels: { by: oneOf('What ended a database statement before its time.', STATEMENT_ENDS) },
  },
  databaseDuration: {
    name: 'db_client_operation_duration_seconds',
    instrument: 'db.client.operation.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of database client operations, in seconds.',
    labels: {
      'db.system.name': { text: 'Always postgresql.', standard: true },
      'db.operation.name': { text: 'SQL verb.', standard: true },
      'error.type': {
        text: 'Class of the SQLSTATE, or code of the failure.',
        standard: true,
        optional: true,
      },
    },
    boundaries: DATABASE_SECONDS,
  },
  databaseConnections: {
    name: 'db_client_connection_count',
    instrument: 'db.client.connection.count',
    kind: 'observableUpDownCounter',
    unit: '{connection}',
    help: 'Open database connections, by state.',
    labels: {
      'db.client.connection.pool.name': { text: 'Pool of database connections; in development upstream.' },
      'db.client.connection.state': oneOf('State of the connections; in development upstream.', [
        'idle',
        'used',
      ]),
    },
  },
  databaseWaiting: {
    name: 'db_client_connection_waiting',
    instrument: 'db.client.connection.pending_requests',
    kind: 'observableUpDownCounter',
    unit: '{request}',
    help: 'Callers that wait for a database connection now, by pool.',
    labels: { 'db.client.connection.pool.name': POOL },
  },
  databaseWait: {
    name: 'db_client_connection_wait_seconds',
    instrument: 'db.client.connection.wait_time',
    kind: 'histogram',
    unit: 's',
    help: 'How long callers waited for a database connection, in seconds, by pool.',
    note: 'It records 0 when a connection was idle. A caller that is refused at once is not in it.',
    labels: { 'db.client.connection.pool.name': POOL },
    boundaries: WAIT_SECONDS,
  },
  redisDuration: {
    name: 'redis_client_operation_duration_seconds',
    instrument: 'redis.client.operation.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of calls of Redis, failures too, in seconds, by outcome.',
    note: '`timeout` is a call given up after 250 ms.',
    labels: { outcome: oneOf('How the call of Redis ended.', REDIS_OUTCOMES) },
    boundaries: REDIS_SECONDS,
  },
} as const satisfies Record<string, Family>;
