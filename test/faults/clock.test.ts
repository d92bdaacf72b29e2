import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { newParty } from '../support/flow.ts';
import { waitFor } from '../support/service.ts';
import { ANSWER_MS } from './ledger.ts';
import { startOwnService } from './own-service.ts';
import { startTraffic } from './traffic.ts';

const FIXTURE = fileURLToPath(new URL('fixtures/clock.ts', import.meta.url));
const SECOND = 1_000;
/** In seconds. A duration of an hour would be above it. */
const LARGEST_BUCKET = 5;
const JUMPS = ['SIGUSR2', 'SIGWINCH', 'SIGWINCH', 'SIGUSR2'] as const;

test('the time of day jumps an hour ahead and back under load: no failure, and durations stay true', async () => {
  const service = await startOwnService({ env: { NODE_OPTIONS: `--import=${FIXTURE}` } });
  const party = await newParty(service, 'sandbox');
  const traffic = startTraffic({ url: service.url, ...party });
  for (const [index, signal] of JUMPS.entries()) {
    const enough = traffic.shots.length + 200;
    await waitFor(() => traffic.shots.length >= enough || undefined, 20 * SECOND);
    service.process.kill(signal);
    await service.logged('clock.moved', index + 1);
  }
  const enough = traffic.shots.length + 200;
  await waitFor(() => traffic.shots.length >= enough || undefined, 20 * SECOND);
  await traffic.stop();

  const scrape = await service.scrape();
  const longest = Math.max(...traffic.shots.map(({ reply }) => reply.ms));
  const families = [
    'grantex_authorize_duration_seconds',
    'grantex_token_exchange_duration_seconds',
    'grantex_http_request_duration_seconds',
    'db_client_operation_duration_seconds',
  ];
  const rows = families.flatMap((family) =>
    scrape.labelSets(`${family}_count`).map((labels) => {
      const [count = 0, sum = -1, below = -1] = [
        scrape.value(`${family}_count`, labels),
        scrape.value(`${family}_sum`, labels),
        scrape.value(`${family}_bucket`, { ...labels, le: String(LARGEST_BUCKET) }),
      ];
      return { family, count, sum, below };
    }),
  );
  const total = (family: string, of: 'count' | 'sum') =>
    rows.filter((row) => row.family === family).reduce((all, row) => all + row[of], 0);
  printTable(
    'clock jumps',
    families.map((family) => ({
      family,
      recorded: total(family, 'count'),
      'mean ms': Math.round((1e3 * total(family, 'sum')) / total(family, 'count')),
      'longest request ms': Math.round(longest),
    })),
  );
  expect(new Set(rows.map(({ family }) => family))).toEqual(new Set(families));
  for (const { family, count, sum, below } of rows) {
    expect([family, below]).toEqual([family, count]);
    expect(sum).toBeGreaterThanOrEqual(0);
    expect(sum).toBeLessThanOrEqual(count * LARGEST_BUCKET);
  }
  for (const line of await service.logged('grant.created')) {
    expect(line['latencyMs']).toBeGreaterThanOrEqual(0);
    expect(line['latencyMs']).toBeLessThan(ANSWER_MS);
  }
  // The service refuses a code that expired by the jump. Nothing else may fail.
  const failed = traffic.shots.filter(({ reply }) => reply.status >= 500 || reply.status === 0);
  expect(failed.map(({ kind, reply }) => [kind, reply.status])).toEqual([]);
  expect(await service.stop()).toBe(0);
});
