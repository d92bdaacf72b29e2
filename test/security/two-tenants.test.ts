import { afterAll, beforeAll, expect, test } from 'vitest';
import { fuzz } from '../support/fuzz.ts';
import { startService, type TestService } from '../support/service.ts';
import { pryIntoEachOther } from './two-tenants.ts';

const { runs, seed, again } = fuzz('TENANTS', 1_500);

let service: TestService;
beforeAll(async () => {
  service = await startService({ env: { MAX_AGENTS: '1000000' } });
});
afterAll(() => service?.stop());

/** Generous, for long runs on busy machines: sixteen requests at a time take a few milliseconds each. */
const LIMIT_MS = 60_000 + 100 * runs;

test(
  'generated requests: no answer has a byte of the other developer, is a 5xx, or differs from the document',
  async () => {
    process.stdout.write(`${again}\n`);
    const figures = await pryIntoEachOther(service, runs, seed);
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    expect(figures.compared).toBeGreaterThan(runs / 2);
    expect(figures.shown).toBeGreaterThan(0);
    for (const status of [200, 201, 204, 400, 404]) expect(figures.statuses[status]).toBeGreaterThan(0);
    // Webhooks of these developers lead nowhere, which is no error of the service.
    const own = service.logs.filter(({ msg }) => msg !== 'webhook.delivery_failed');
    expect(own.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  },
  LIMIT_MS,
);
