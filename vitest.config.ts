import { defineConfig } from 'vitest/config';

const SECOND = 1_000;
/** Whatever the service does with its database. */
const ON_A_DATABASE =
  '{agents,anomalies,audit,authorization,consent,developers,grants,keys,model,policies,principal-sessions,tokens,webhooks}';

export default defineConfig({
  test: {
    maxWorkers: 2,
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
          ],
          globalSetup: ['test/support/global-setup.ts'],
          pool: 'forks',
          allowOnly: false,
          testTimeout: 20 * SECOND,
          hookTimeout: 20 * SECOND,
        },
      },
      {
        test: {
          name: 'stack',
          include: ['test/stack/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          pool: 'forks',
          allowOnly: false,
          fileParallelism: false,
          testTimeout: 120 * SECOND,
          // Building the real binaries for the first time takes minutes.
          hookTimeout: 1_200 * SECOND,
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
          globalSetup: ['test/support/global-setup.ts'],
          pool: 'forks',
          allowOnly: false,
          testTimeout: 20 * SECOND,
          hookTimeout: 20 * SECOND,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          pool: 'forks',
          allowOnly: false,
          fileParallelism: false,
          testTimeout: 60 * SECOND,
          hookTimeout: 30 * SECOND,
        },
      },
      {
        // With the real Patroni, etcd and HAProxy; a lease that has to run out takes its time.
        test: {
          name: 'failover',
          include: ['test/failover/**/*.test.ts'],
          exclude: ['test/**/*.nightly.test.ts'],
          pool: 'forks',
          allowOnly: false,
          fileParallelism: false,
          testTimeout: 180 * SECOND,
          hookTimeout: 120 * SECOND,
        },
      },
    ],
  },
});
