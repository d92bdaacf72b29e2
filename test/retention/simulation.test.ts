import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { printDays } from './days-table.ts';
import { simulate } from './simulation.ts';

const RETENTION_DAYS = 2;
const LONG_DAYS = 2;
/** From then on as many rows go as come, and small indexes have the pages that they need. */
const STEADY = LONG_DAYS + RETENTION_DAYS + 4;
const DAYS = STEADY + 4;

test('some days in short: tables and indexes stop to grow, and every day is explained by rows and tallies', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const days = await simulate(database, {
    days: DAYS,
    grantsPerDay: 80,
    longDays: LONG_DAYS,
    retentionDays: RETENTION_DAYS,
  });
  printDays('80 grants a day', days, 3);
  expect(days).toHaveLength(DAYS);
  expect(days.at(-1)?.removed).toBeGreaterThan(80 * 8);
  for (const [name, bytes] of days.at(-1)?.sizes ?? []) {
    const steady = days[STEADY - 1]?.sizes.get(name) ?? 0;
    // Small relations grow by whole pages.
    expect(bytes, name).toBeLessThanOrEqual(steady * 1.25 + 3 * 8192);
  }
});
