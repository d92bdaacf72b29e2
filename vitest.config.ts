import { defineConfig } from 'vitest/config';

const SECOND = 1_000;

export default defineConfig({
  test: {
    maxWorkers: 2,
    passWithNoTests: false,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/stack/**', 'test/faults/**', 'test/load/**'],
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
    ],
  },
});
