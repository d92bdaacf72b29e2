import { expect } from 'vitest';
import { memoryOf } from '../../load/cpu.ts';
import { printTable, type Row } from '../../load/table.ts';
import { newParty } from '../../support/flow.ts';
import { waitFor } from '../../support/service.ts';
import { startOwnService } from '../own-service.ts';
import { INVENTED_KEYS, prepareAttacks } from './attacks.ts';
import { QuietTenant } from './quiet-tenant.ts';

/** Wanted of the service's resident memory. */
const MOST_MIB = 400;
/** The rule of HighRateLimitRate warns above 50 a minute, as a rate over five minutes. */
const REFUSALS_OF_THE_ALERT = 50 * 5;
/** What a hostile tenant may be answered. Any other status is a fault of the service. */
const ALLOWED = new Set([200, 201, 400, 401, 402, 429, 503]);
/**
 * What a quiet tenant may be answered. A busy machine cannot answer everybody in time, and says so with 503: they are
 * counted and printed.
 */
const QUIET = new Set([200, 201, 503]);

/**
 * Plays each attack for some seconds beside a quiet tenant, with all limits at their defaults. What the quiet tenant is
 * answered, the memory and the refusals are asserted. Times are printed.
 */
export async function playHostileTenants(seconds: number): Promise<void> {
  await using ends = new AsyncDisposableStack();
  const service = await startOwnService({
    env: { RATE_LIMIT_ENABLED: 'true', ALLOW_PRIVATE_WEBHOOK_HOSTS: 'true', DATABASE_POOL_MAX: '10' },
  });
  const pid = service.process.pid ?? 0;
  const party = await newParty(service, 'sandbox');
  const quiet = new QuietTenant(service.url, party, await party.grant());
  ends.defer(() => quiet.close());
  const attacks = await prepareAttacks(service, ends);
  const rows: Row[] = [];
  const failures: unknown[] = [];
  let p99Alone = Number.NaN;
  for (const attack of [null, ...attacks]) {
    const ended = new Promise<void>((resolve) => setTimeout(resolve, seconds * 1000));
    let memory = 0;
    const watch = setInterval(() => {
      memory = Math.max(memory, memoryOf(pid));
    }, 50);
    const [phase, statuses] = await Promise.all([quiet.during(ended), attack?.run(ended)]);
    clearInterval(watch);
    const name = attack?.name ?? 'alone';
    if (attack === null) p99Alone = phase.p99;
    rows.push({
      attack: name,
      'quiet requests': phase.replies.length,
      '503': phase.replies.filter(({ status }) => status === 503).length,
      'p50 ms': Math.round(phase.p50),
      'p99 ms': Math.round(phase.p99),
      'ratio of p99': Math.round((10 * phase.p99) / p99Alone) / 10,
      'most MiB': memory,
      'hostile answers': [...(statuses ?? [])].map(([status, count]) => `${count} × ${status}`).join(', '),
    });
    const refused = phase.replies.filter(({ status }) => !QUIET.has(status));
    failures.push(...refused.map(({ status, error }) => [name, 'quiet', error ?? status]));
    if (memory > MOST_MIB) failures.push([name, 'memory', memory]);
    for (const status of statuses?.keys() ?? [])
      if (!ALLOWED.has(status)) failures.push([name, 'hostile', status]);
  }
  printTable(`a quiet tenant beside hostile ones, ${seconds} s each`, rows);
  expect(failures).toEqual([]);
  const flood = attacks.find(({ name }) => name === INVENTED_KEYS);
  const refusals = async () => (await service.scrape()).sum('grantex_rate_limited_total');
  await flood?.run(waitFor(async () => (await refusals()) > REFUSALS_OF_THE_ALERT || undefined, 60_000));
  expect(await refusals()).toBeGreaterThan(REFUSALS_OF_THE_ALERT);
  expect(await service.stop()).toBe(0);
}
