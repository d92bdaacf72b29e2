import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { printDays } from './days-table.ts';
import { type SimulatedDay, simulate } from './simulation.ts';

const DAYS = 90;
const FLAT_FROM = 40;
const HOUR = 3_600_000;
/** `SIMULATED_GRANTS_PER_DAY=1000` is a tenth of it. */
const GRANTS_PER_DAY = Number(process.env['SIMULATED_GRANTS_PER_DAY'] ?? 10_000);

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

test(`90 days of ${GRANTS_PER_DAY} grants, all kept for 30: tables, indexes and latency are flat from day 40 on`, {
  timeout: 3 * HOUR,
}, async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const days = await simulate(database, { days: DAYS, grantsPerDay: GRANTS_PER_DAY, retentionDays: 30 });
  printDays(`${GRANTS_PER_DAY} grants a day`, days, 10);
  const steady = days[FLAT_FROM - 1];
  for (const { day, sizes } of days.slice(FLAT_FROM))
    for (const [name, bytes] of sizes) {
      // What is tallied by day has a few rows more each day, for ever.
      if (name.startsWith('retention_tallies')) continue;
      const limit = (steady?.sizes.get(name) ?? 0) * 1.1 + 10 * 8192;
      expect(bytes, `${name} on day ${day}`).toBeLessThanOrEqual(limit);
    }
  const early = days.slice(FLAT_FROM, FLAT_FROM + 20);
  const late = days.slice(-20);
  for (const read of [
    ({ exchangeMs }: SimulatedDay) => exchangeMs,
    ({ refreshMs }: SimulatedDay) => refreshMs,
  ])
    expect(median(late.map(read))).toBeLessThan(median(early.map(read)) * 1.5);
});
