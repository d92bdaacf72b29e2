import { defineConfig } from 'vitest/config';
import { PATIENCE_MS } from './test/support/child.ts';
import { withoutDatabase } from './test/support/needs-database.ts';

const SECOND = 1_000;
/** Only what hangs takes so long. A busy machine, on which a start takes ten seconds, is no fault. */
const TEST_TIMEOUT = 240 * SECOND;
/** Whatever the service does with its database. */
const ON_A_DATABASE =
  '{agents,anomalies,audit,authorization,consent,developers,grant-token,grants,model,policies,principal-sessions,secrets,signing-keys,tokens,webhooks}';
/** What takes too long for the gate; `npm run test:nightly` runs it. */
const LONG = 'test/**/*.nightly.test.ts';
/** What can go wrong with the database, by way of what. */
const TABLES = 'test/faults/table-*.test.ts';

/** What needs other programs, root, or much time, and so has a project of its own. */
const APART = [
  'test/stack/**',
  'test/faults/**',
  'test/load/**',
  'test/pgbouncer/**',
  'test/failover/**',
  LONG,
];
/**
 * Slow by their nature: each starts services, servers or commands again and again, or waits for times that are promised.
 * The gate runs them after the others.
 */
const SLOW = [
  // A service, its death and a reconciliation for each case.
  'test/reconciliation/command.test.ts',
  // Some thousand commands of the model, each against the service.
  'test/model/model.test.ts',
  // A whole demo.
  'test/demo/demo.test.ts',
  // A start and an end of the service, or of PostgreSQL, for each case.
  'test/system/{start-and-stop,second-signal,slow-shutdown,health}.test.ts',
  'test/embedded-postgres/{end,start}.test.ts',
  'test/signing-keys/service.test.ts',
  'test/data-dir.test.ts',
  'test/instrumentation/{otlp,register}.test.ts',
  // Retries that wait for their time.
  'test/webhooks/{metrics,attempts,purge}.test.ts',
  // Thousands of generated requests.
  'test/contract/generated.test.ts',
  // Many migrations, many replicas, many races.
  'test/db/{migrate,client-faults}.test.ts',
  'test/races/{single-use,revocation,consent}.test.ts',
  'test/anomalies/{replicas,detection}.test.ts',
  // A process for each command line.
  'test/deploy/command-line.test.ts',
  // A thousand policies held against a slow decision of our own.
  'test/policies/decision.test.ts',
];
const PURE = withoutDatabase('test/**/*.test.ts');

export default defineConfig({
  test: {
    // More than two cores have work for: tests wait a good deal.
    maxWorkers: 3,
    passWithNoTests: false,
    projects: [
      {
        // Needs no database, so a file in watch mode answers at once.
        test: {
          name: 'pure',
          include: PURE,
          exclude: [...APART, ...SLOW],
          pool: 'forks',
          allowOnly: false,
          testTimeout: TEST_TIMEOUT,
          hookTimeout: TEST_TIMEOUT,
          expect: { poll: { timeout: PATIENCE_MS } },
        },
      },
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...APART, ...SLOW, ...PURE],
          globalSetup: ['test/support/global-setup.ts'],
          pool: 'forks',
          allowOnly: false,
          testTimeout: TEST_TIMEOUT,
          hookTimeout: TEST_TIMEOUT,
          expect: { poll: { timeout: PATIENCE_MS } },
        },
      },
      {
        test: {
          name: 'slow',
          include: SLOW,
          globalSetup: ['test/support/global-setup.ts'],
          pool: 'forks',
          allowOnly: false,
          testTimeout: TEST_TIMEOUT,
          hookTimeout: TEST_TIMEOUT,
          expect: { poll: { timeout: PATIENCE_MS } },
        },
      },
      {
        test: {
          name: 'stack',
          include: ['test/stack/**/*.test.ts'],
          exclude: [LONG],
          globalSetup: ['test/support/global-setup.ts'],
          pool: 'forks',
          allowOnly: false,
          // They wait for scrapes, rules and exports more than they work, each with programs and ports of its own.
          maxWorkers: 2,
          testTimeout: 120 * SECOND,
          // Building the real binaries for the first time takes minutes.
          hookTimeout: 1_200 * SECOND,
          expect: { poll: { timeout: PATIENCE_MS } },
        },
      },
      {
        // The same tests with a real PgBouncer, in transaction mode, between the service and its database.
        test: {
          name: 'pgbouncer',
          include: [
            `test/${ON_A_DATABASE}/**/*.test.ts`,
            'test/db/{migrate,reserved-connection}.test.ts',
            'test/races/replicas.test.ts',
            'test/pgbouncer/**/*.test.ts',
          ],
          exclude: [LONG],
          globalSetup: ['test/support/global-setup.ts'],
          pool: 'forks',
          allowOnly: false,
          testTimeout: TEST_TIMEOUT,
          hookTimeout: TEST_TIMEOUT,
          expect: { poll: { timeout: PATIENCE_MS } },
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          exclude: [TABLES, LONG],
          globalSetup: ['test/support/global-setup.ts'],
          pool: 'forks',
          allowOnly: false,
          fileParallelism: false,
          testTimeout: 60 * SECOND,
          hookTimeout: 30 * SECOND,
          expect: { poll: { timeout: PATIENCE_MS } },
        },
      },
      {
        // One file for each way to the database. They wait more than they work, so they run side by side.
        test: {
          name: 'database-faults',
          include: [TABLES],
          pool: 'forks',
          allowOnly: false,
          testTimeout: TEST_TIMEOUT,
          hookTimeout: TEST_TIMEOUT,
          expect: { poll: { timeout: PATIENCE_MS } },
        },
      },
      {
        // With the real Patroni, etcd and HAProxy; a lease that has to run out takes its time.
        test: {
          name: 'failover',
          include: ['test/failover/**/*.test.ts'],
          exclude: [LONG],
          pool: 'forks',
          allowOnly: false,
          fileParallelism: false,
          testTimeout: 180 * SECOND,
          hookTimeout: 120 * SECOND,
        },
      },
      {
        test: {
          name: 'nightly',
          include: [LONG],
          globalSetup: ['test/support/global-setup.ts'],
          pool: 'forks',
          allowOnly: false,
          fileParallelism: false,
          testTimeout: 600 * SECOND,
          hookTimeout: 600 * SECOND,
          expect: { poll: { timeout: PATIENCE_MS } },
        },
      },
    ],
  },
});
