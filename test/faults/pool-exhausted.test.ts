import { expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { newParty } from '../support/flow.ts';
import { waitFor } from '../support/service.ts';
import { Client, type Reply } from './client.ts';
import { ANSWER_MS, expectNothingHalfMade } from './ledger.ts';
import { startOwnService } from './own-service.ts';

const POOL = 5;
const WAITING = 40;

test('every connection waits for a lock: the others are told so in time, and all goes on when it is released', async () => {
  const service = await startOwnService({ env: { DATABASE_POOL_MAX: String(POOL) } });
  const { sql } = service.database;
  const party = await newParty(service, 'sandbox');
  const grants = await Promise.all(Array.from({ length: POOL }, () => party.grant()));
  const held = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const holding = sql.begin(async (tx) => {
    await tx`select from grants for update`;
    locked.resolve();
    await held.promise;
  });
  await locked.promise;

  const send = async (method: string, path: string, body?: unknown): Promise<Reply> => {
    const client = new Client(service.url);
    const reply = await client.send({ method, path, key: party.key, body });
    client.close();
    return reply;
  };
  const revocations = grants.map(({ grantId }) => send('DELETE', `/v1/grants/${grantId}`));
  await waitFor(async () => {
    const [row] = await sql`select count(*)::int as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    return row?.['n'] === POOL || undefined;
  });
  const authorize = { agentId: party.agentId, principalId: 'waits', scopes: ['calendar:read'] };
  const others = await Promise.all([
    ...Array.from({ length: WAITING }, () => send('POST', '/v1/authorize', authorize)),
    ...Array.from({ length: WAITING }, () => send('GET', '/v1/me')),
    send('POST', '/v1/tokens/verify', { token: grants[0]?.grantToken }),
  ]);
  // Health has a connection of its own: the database is well.
  expect((await send('GET', '/health')).status).toBe(200);
  const stuck = await Promise.all(revocations);

  held.resolve();
  await holding;
  const released = performance.now();
  const recovered = await waitFor(async () => {
    const reply = await send('POST', '/v1/authorize', { ...authorize, principalId: 'goes_on' });
    return reply.status === 201 ? performance.now() : undefined;
  });
  printTable('pool exhausted by locks', [
    {
      'waiting requests': others.length,
      503: others.filter(({ status }) => status === 503).length,
      'slowest of them ms': Math.round(Math.max(...others.map(({ ms }) => ms))),
      'slowest of the locked ones ms': Math.round(Math.max(...stuck.map(({ ms }) => ms))),
      'recovered after ms': Math.round(recovered - released),
    },
  ]);
  expect(others.map(({ status, body }) => [status, body.code])).toEqual(
    others.map(() => [503, 'SERVICE_UNAVAILABLE']),
  );
  expect(stuck.map(({ status, body }) => [status, body.code])).toEqual(
    stuck.map(() => [500, 'INTERNAL_ERROR']),
  );
  for (const { ms } of [...others, ...stuck]) expect(ms).toBeLessThan(ANSWER_MS);
  // 503: nothing of it was done. 500: it was done after all, and counted.
  const [waits] =
    await sql`select count(*)::int as n from authorization_requests where principal_id = 'waits'`;
  expect(waits?.['n']).toBe(0);
  expect((await service.logged('grant.revoked', POOL)).length).toBe(POOL);
  expect((await service.scrape()).value('grantex_grants_revoked_total')).toBe(POOL);
  const [revoked] = await sql`select count(*)::int as n from grants where status = 'revoked'`;
  expect(revoked?.['n']).toBe(POOL);
  await expectNothingHalfMade(sql);
  expect(await service.stop()).toBe(0);
});
