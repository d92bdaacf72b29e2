import { expect } from 'vitest';
import { newParty } from '../support/flow.ts';
import { expectReconciled } from '../support/reconcile.ts';
import { type TestService, waitFor } from '../support/service.ts';
import { Client, type Reply } from './client.ts';
import { ANSWER_MS } from './ledger.ts';
import { isGood, startTraffic } from './traffic.ts';
import { hold, type Work } from './works.ts';

const SECOND = 1_000;
const RECOVERY_MS = 5 * SECOND;
/** More than the connections of the pool. */
const ASKING = 10;

/**
 * Holds the lock that the work needs. Requests for that work get 503 in time, other requests succeed, and after the
 * release the work succeeds again.
 */
export async function runLocked(service: TestService, work: Work, heldMs: number) {
  const { sql } = service.database;
  const ready = await work.prepare(service);
  const other = await newParty(service, 'sandbox');
  const before = await lockTimeouts(service);
  const lock = await hold(sql, ready.lock);
  const traffic = startTraffic({
    url: service.url,
    ...other,
    callers: 2,
    name: `beside_${ready.party.developerId}`,
  });
  const replies: Reply[] = [];
  let over = false;
  const asking = Array.from({ length: ASKING }, async (_, index) => {
    const client = new Client(service.url);
    for (let round = 0; !over; round++) replies.push(await ready.ask(client, `in vain ${index} ${round}`));
    client.close();
  });
  const until = performance.now() + heldMs;
  await waitFor(() => performance.now() > until || undefined, 60 * SECOND);
  over = true;
  await Promise.all(asking);
  expect((await service.request('GET', '/health')).status).toBe(200);
  await lock.release();
  const back = performance.now();
  const client = new Client(service.url);
  await waitFor(
    async () => work.done.includes((await ready.ask(client, 'at last')).status) || undefined,
    RECOVERY_MS,
  );
  const recovered = performance.now() - back;
  client.close();
  await traffic.stop();

  const slowest = Math.max(...replies.map(({ ms }) => ms));
  const shots = traffic.shots;
  expect(replies.map(({ status }) => status).filter((status) => status !== 503)).toEqual([]);
  expect(slowest).toBeLessThan(ANSWER_MS);
  expect(shots.filter((shot) => !isGood(shot))).toEqual([]);
  expect(shots.length).toBeGreaterThan(heldMs / 100);
  for (let index = 0; index < ASKING; index++)
    for (const marker of [`in vain ${index} 0`, `in vain ${index} 1`])
      expect((await ready.stored(sql, marker)) ?? 0).toBe(0);
  expect((await ready.stored(sql, 'at last')) ?? 1).toBe(1);
  expect((await lockTimeouts(service)) - before).toBeGreaterThan(0);
  await expectReconciled(service);
  return {
    lock: work.name,
    'held ms': heldMs,
    503: replies.length,
    'slowest ms': Math.round(slowest),
    'others, all good': shots.length,
    'slowest of them ms': Math.round(Math.max(...shots.map(({ reply }) => reply.ms))),
    'recovered after ms': Math.round(recovered),
  };
}

const lockTimeouts = async (service: TestService): Promise<number> =>
  (await service.scrape()).value('grantex_statements_ended_total', { by: 'lock_timeout' }) ?? 0;
