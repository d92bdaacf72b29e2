import { expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { newParty, type Party } from '../support/flow.ts';
import { waitFor } from '../support/service.ts';
import { Client, type Reply } from './client.ts';
import { ANSWER_MS, expectNothingHalfMade } from './ledger.ts';
import { startOwnService } from './own-service.ts';

const POOL = 5;
/** One developer gets at most half of the connections, rounded up, so it takes two developers to use all. */
const GRANTS_EACH = 3;
const WAITING = 40;

test('every connection waits for a lock: after a second the others are served, and nothing of what waited is done', async () => {
  const service = await startOwnService({ env: { DATABASE_POOL_MAX: String(POOL) } });
  const { sql } = service.database;
  const parties = [await newParty(service, 'sandbox'), await newParty(service, 'sandbox')];
  const third = await newParty(service, 'sandbox');
  const token = (await third.grant()).grantToken;
  const send = async (of: Party, method: string, path: string, body?: unknown): Promise<Reply> => {
    const client = new Client(service.url);
    const reply = await client.send({ method, path, key: of.key, body });
    client.close();
    return reply;
  };
  const owned = await Promise.all(
    parties.flatMap((of) =>
      Array.from({ length: GRANTS_EACH }, async () => ({ of, grantId: (await of.grant()).grantId })),
    ),
  );
  const revokeAll = () => owned.map(({ of, grantId }) => send(of, 'DELETE', `/v1/grants/${grantId}`));
  const authorize = (principalId: string) => ({
    agentId: third.agentId,
    principalId,
    scopes: ['calendar:read'],
  });

  const held = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const holding = sql.begin(async (tx) => {
    await tx`select from grants for update`;
    locked.resolve();
    await held.promise;
  });
  await locked.promise;
  const revocations = revokeAll();
  await waitFor(async () => {
    const [row] = await sql`select count(*)::int as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    return row?.['n'] === POOL || undefined;
  });
  const others = await Promise.all([
    ...Array.from({ length: WAITING }, () => send(third, 'POST', '/v1/authorize', authorize('waits'))),
    ...Array.from({ length: WAITING }, () => send(third, 'GET', '/v1/me')),
    send(third, 'POST', '/v1/tokens/verify', { token }),
  ]);
  const stuck = await Promise.all(revocations);
  // Health has a separate connection, and the database works.
  expect((await send(third, 'GET', '/health')).status).toBe(200);
  printTable('pool exhausted by locks', [
    {
      'waiting requests': others.length,
      'slowest of them ms': Math.round(Math.max(...others.map(({ ms }) => ms))),
      'slowest of the locked ones ms': Math.round(Math.max(...stuck.map(({ ms }) => ms))),
    },
  ]);
  expect(others.filter(({ status }) => status !== 200 && status !== 201)).toEqual([]);
  expect(stuck.map(({ status, body }) => [status, body.code])).toEqual(
    stuck.map(() => [503, 'SERVICE_UNAVAILABLE']),
  );
  for (const { ms } of [...others, ...stuck]) expect(ms).toBeLessThan(ANSWER_MS);

  const revoked = async () => {
    const [row] = await sql`select count(*)::int as n from grants where status = 'revoked'`;
    return [row?.['n'], (await service.scrape()).value('grantex_grants_revoked_total')];
  };
  expect(await revoked()).toEqual([0, 0]);
  expect(
    (await service.scrape()).value('grantex_statements_ended_total', { by: 'lock_timeout' }),
  ).toBeGreaterThanOrEqual(POOL);
  held.resolve();
  await holding;
  expect((await Promise.all(revokeAll())).map(({ status }) => status)).toEqual(owned.map(() => 204));
  expect(await revoked()).toEqual([owned.length, owned.length]);
  await expectNothingHalfMade(sql);
  expect(await service.stop()).toBe(0);
});
