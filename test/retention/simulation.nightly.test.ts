import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { printDays } from './days-table.ts';
import { type SimulatedDay, simulate } from './simulation.ts';

const DAYS = 90;
const FLAT_FROM = 40;
const SETTLED_FROM = 60;
const PAGE = 8192;
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
  const days = await simulate(database, {
    days: DAYS,
    grantsPerDay: GRANTS_PER_DAY,
    longDays: 7,
    retentionDays: 30,
  });
  printDays(`${GRANTS_PER_DAY} grants a day`, days, 10);
  const grown = (from: number, by: number) =>
    days.slice(from).flatMap(({ day, sizes }) =>
      [...sizes].flatMap(([name, bytes]) => {
        // What is tallied by day has a few rows more each day, for ever.
        if (name.startsWith('retention_tallies')) return [];
        const limit = (days[from - 1]?.sizes.get(name) ?? 0) * by + 10 * PAGE;
        return bytes > limit ? [`${name} on day ${day}: ${bytes}, ${limit}`] : [];
      }),
    );
  // The pages of a B-tree split once more while old keys make room for new ones. After that its size stays.
  expect(grown(FLAT_FROM, 1.25)).toEqual([]);
  expect(grown(SETTLED_FROM, 1.1)).toEqual([]);
  const early = days.slice(FLAT_FROM, FLAT_FROM + 20);
  const late = days.slice(-20);
  for (const read of [
    ({ exchangeMs }: SimulatedDay) => exchangeMs,
    ({ refreshMs }: SimulatedDay) => refreshMs,
  ])
    expect(median(late.map(read))).toBeLessThan(median(early.map(read)) * 1.5);
});
