import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { type Result, runCase } from './case.ts';
import { faultsOn } from './fault.ts';
import { FAULTS } from './faults.ts';
import { openRoute, type Route, WAYS } from './ways.ts';

describe.each(WAYS)('database by way of $name', (way) => {
  let route: Route;
  const results: Result[] = [];
  beforeAll(async () => {
    route = await openRoute(way);
  }, 60_000);
  afterAll(async () => {
    printTable(
      `faults by way of ${way.name}`,
      results.map((result) => ({ ...result })),
    );
    await route.end();
  }, 60_000);

  test.each(faultsOn(way, FAULTS))('$name', async (fault) => {
    const result = await runCase(route, fault);
    results.push(result);
    expect(result.requests).toBeGreaterThan(0);
  });
});
