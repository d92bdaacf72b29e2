import { afterEach, expect, test } from 'vitest';
import { printTable } from '../load/table.ts';
import { Cable } from '../support/cable.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

const POOL = 5;
const SECOND = 1_000;

let database: TestDatabase;
let cable: Cable;
let service: TestService;
async function start(poolMax: number): Promise<void> {
  database = await createTestDatabase();
  const url = new URL(database.url);
  cable = new Cable(Number(url.port));
  url.port = String(await cable.open());
  const env = { DATABASE_URL: url.href, DATABASE_POOL_MAX: String(poolMax) };
  service = await startService({ database, env });
}
afterEach(async () => {
  await service.stop();
  await cable.close();
  await database.drop();
});

test.each(['cut', 'reset'] as const)(
  'every connection is %s in the middle of a transaction, and others wait: all are answered, each with its own',
  async (how) => {
    await start(POOL);
    // One developer gets at most half of the connections, rounded up.
    const [party, other] = [await newParty(service), await newParty(service)];
    const three = (of: typeof party) => Promise.all(Array.from({ length: 3 }, () => of.grant()));
    const [grants, grantsOfOther] = [await three(party), await three(other)];
    const held = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const holding = database.sql.begin(async (tx) => {
      await tx`select from grants for update`;
      locked.resolve();
      await held.promise;
    });
    await locked.promise;
    const { key } = party;
    const revoke = (of: typeof party, some: typeof grants) =>
      some.map(({ grantId }) => service.request('DELETE', `/v1/grants/${grantId}`, { key: of.key }));
    const revocations = [...revoke(party, grants), ...revoke(other, grantsOfOther)];
    await waitFor(async () => {
      const [row] = await database.sql`select count(*)::int as n from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      return row?.['n'] === POOL || undefined;
    });
    const waiting = Array.from({ length: 4 * POOL }, () => service.request('GET', '/v1/me', { key }));
    // The requests have arrived when a later request is answered.
    expect((await service.request('GET', '/health')).status).toBe(200);
    await cable.set(how);
    await cable.set('through');
    const stuck = await Promise.all(revocations);
    const others = await Promise.all(waiting);
    held.resolve();
    await holding;

    expect(service.process.exitCode).toBeNull();
    expect(stuck.map(({ status }) => status).filter((status) => ![500, 503].includes(status))).toEqual([]);
    expect(others.map(({ status }) => status).filter((status) => ![200, 503].includes(status))).toEqual([]);
    const begun = performance.now();
    await waitFor(
      async () => (await service.request('GET', '/v1/me', { key })).status === 200 || undefined,
      5 * SECOND,
    );
    // The pool has lost no connection, and no connection gives a request the rows of another.
    const rounds = Array.from({ length: 20 * POOL }, async (_, index) => {
      const grantId = grants[index % grants.length]?.grantId;
      const [me, grant] = await Promise.all([
        service.request('GET', '/v1/me', { key }),
        service.request('GET', `/v1/grants/${grantId}`, { key }),
      ]);
      expect([me.status, me.body.developerId]).toEqual([200, party.developerId]);
      expect([grant.status, grant.body.grantId, grant.body.status]).toEqual([200, grantId, 'active']);
    });
    await Promise.all(rounds);
    printTable(`transactions ${how}`, [
      {
        'in transactions': stuck.map(({ status }) => status).join(' '),
        'waiting, served': others.filter(({ status }) => status === 200).length,
        'waiting, refused': others.filter(({ status }) => status === 503).length,
        'right afterwards': 2 * rounds.length,
        'ms for them': Math.round(performance.now() - begun),
      },
    ]);
    const [revoked] = await database.sql`select count(*)::int as n from grants where status = 'revoked'`;
    expect(revoked?.['n']).toBe((await service.scrape()).value('grantex_grants_revoked_total'));
  },
);

test('a connection that is made just after nobody waits for it any longer is used by the next', async () => {
  await start(1);
  const { key } = await newParty(service);
  const me = async () => (await service.request('GET', '/v1/me', { key })).status;
  const begun = performance.now();
  await cable.set('reset');
  await cable.set('hanging');
  // The driver waits before it connects again, so its time limit ends after that of the request.
  expect(await me()).toBe(503);
  await cable.set('through');
  const back = performance.now();
  await waitFor(async () => ((await me()) === 200 ? true : undefined), 5 * SECOND);
  printTable('a late connection', [
    {
      'refused after ms': Math.round(back - begun),
      'recovered after ms': Math.round(performance.now() - back),
    },
  ]);
  for (let count = 0; count < 3 * POOL; count++) expect(await me()).toBe(200);
});
