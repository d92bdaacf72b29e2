import { defineConfig } from 'vitest/config';
import { PATIENCE_MS } from './test/support/child.ts';

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

export default defineConfig({
  test: {
    // More than two cores have work for: tests wait a good deal.
    maxWorkers: 3,
    passWithNoTests: false,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [
            'test/stack/**',
            'test/faults/**',
            'test/load/**',
            'test/pgbouncer/**',
            'test/failover/**',
            LONG,
          ],
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
          fileParallelism: false,
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
