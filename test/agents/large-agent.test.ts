import { afterAll, beforeAll, expect, test } from 'vitest';
import { readLedger } from '../../src/reconciliation/store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { keptAndCounted } from '../support/kept-numbers.ts';
import { ledgerOf, sumOver } from '../support/ledger.ts';
import { queryableOf } from '../support/reconcile.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

/** More than one request removes, and some steps of the job. */
const MANY = 1500;

let database: TestDatabase;
let services: TestService[];
let party: Party;
beforeAll(async () => {
  database = await createTestDatabase();
  const env = { JWT_ISSUER: 'https://auth.example.com' };
  services = [await startService({ database, env }), await startService({ database, env })];
  party = await newParty(services[0] as TestService);
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await database.drop();
});

/** Copies of a grant, as its siblings, with a token and a refresh token each; a tenth of them has expired. */
const copyGrant = async (grantId: string, count: number) => {
  await database.sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
      parent_grant_id, root_grant_id, delegation_depth)
    select id || '_' || n, developer_id, agent_id, principal_id, scopes, 'active', issued_at - n * interval '1 ms',
      case when n % 10 = 0 then issued_at else expires_at end, parent_grant_id,
      case when parent_grant_id is null then id || '_' || n else root_grant_id end, delegation_depth
    from grants, generate_series(1, ${count}::int) n where id = ${grantId}`;
  await database.sql`insert into tokens (jti, grant_id, kid, expires_at)
    select 'tok_' || id, id, 'k', expires_at from grants where starts_with(id, ${`${grantId}_`})`;
  await database.sql`insert into refresh_tokens (hash, grant_id, agent_id, issued_at, predecessor)
    select sha256(convert_to(id, 'UTF8')), id, agent_id, issued_at, '' from grants where starts_with(id, ${`${grantId}_`})`;
};
const own = (service: TestService, path: string) => service.request('GET', path, { key: party.key });
const post = (path: string, body: unknown) =>
  (services.at(-1) as TestService).request('POST', path, { key: party.key, body });
const worked = () =>
  waitFor(async () => {
    const [row] = await database.sql`select count(*)::int as open from removals where finished_at is null`;
    return row?.['open'] === 0 || undefined;
  }).then(() => true);
/** The job cannot find a grant while the test holds the table. */
const whileJobWaits = async <T>(work: () => Promise<T>): Promise<T> => {
  const { sql } = database;
  const held = await sql.reserve();
  try {
    await held`begin`;
    await held`lock table removal_grants in exclusive mode`;
    return await work();
  } finally {
    await held`rollback`;
    held.release();
  }
};
const deliveries = async () =>
  (
    await database.sql`select data->>'grantId' as "grantId", (data->>'cascade')::bool as cascade
      from webhook_deliveries where event_type = 'grant.revoked'`
  ).map((row) => ({ ...row }));

test('an agent of thousands of grants: all dead at the answer, then worked off, each told of once', async () => {
  const [first, second] = services as [TestService, TestService];
  const { sql } = database;
  const [upper, lower] = [await party.newAgent(), await party.newAgent()];
  const doomed = party.agentId;
  const above = await party.grant({ agentId: upper });
  const middle = await party.delegate(above.grantToken, { subAgentId: doomed });
  const below = await party.delegate(middle.grantToken, { subAgentId: lower });
  const single = await party.grant();
  const code = await party.consent();
  await party.authorize();
  await copyGrant(single.grantId, MANY);
  await sql`insert into webhooks (id, developer_id, url, events, sealed_secret, created_at)
    values ('wh_none', ${party.developerId}, 'https://hooks.invalid/', '{grant.revoked}', '', now())`;
  const before = await ledgerOf(database);
  // Rows that no replica made cannot have been counted by one.
  const revokedBefore = await sumOver(services, 'grantex_grants_revoked_total');

  await whileJobWaits(async () => {
    const deletions = await Promise.all(
      [first, second, first, second].map((one) =>
        one.request('DELETE', `/v1/agents/${doomed}`, { key: party.key }),
      ),
    );
    expect(deletions.map(({ status }) => status).sort()).toEqual([204, 404, 404, 404]);
    // The answer waited for no row: all of them are as they were.
    const [untouched] = await sql`select count(*)::int as active from grants
      where agent_id = ${doomed} and status = 'active'`;
    expect(untouched?.['active']).toBe(MANY + 2);

    // On the other replica.
    for (const pair of [single, middle, below]) {
      expect((await post('/v1/tokens/verify', { token: pair.grantToken })).body).toEqual({ valid: false });
      const { body } = await post('/v1/grants/verify', { token: pair.grantToken });
      expect([body.active, body.reason]).toEqual([false, 'revoked']);
      expect((await own(second, `/v1/revocations/status?grantId=${pair.grantId}`)).body).toEqual({
        revoked: true,
        status: 'revoked',
      });
      const { body: grant } = await own(second, `/v1/grants/${pair.grantId}`);
      expect([grant.status, grant.revokedAt]).toEqual(['revoked', expect.any(String)]);
      const revoke = await second.request('DELETE', `/v1/grants/${pair.grantId}`, { key: party.key });
      expect(revoke.status).toBe(404);
    }
    expect((await own(second, `/v1/grants?agentId=${lower}&status=active`)).body.total).toBe(0);
    expect((await own(second, `/v1/grants?agentId=${lower}`)).body.grants[0].status).toBe('revoked');
    const refused = [
      await post('/v1/token', { code, agentId: doomed }),
      await post('/v1/token/refresh', { refreshToken: single.refreshToken, agentId: doomed }),
      await post('/v1/token/refresh', { refreshToken: below.refreshToken, agentId: lower }),
      await post('/v1/grants/delegate', {
        parentGrantToken: below.grantToken,
        subAgentId: upper,
        scopes: ['calendar:read'],
      }),
      await post('/v1/authorize', { agentId: doomed, principalId: 'p', scopes: ['a'] }),
      await second.request('DELETE', `/v1/agents/${doomed}`, { key: party.key }),
      await own(second, `/v1/agents/${doomed}`),
    ];
    expect(refused.map(({ status: refusal }) => refusal)).toEqual([400, 400, 400, 400, 404, 404, 404]);
    expect(await party.verify(above.grantToken)).toBe(true);
  });

  // At every moment of the work, nothing is counted twice or not at all.
  const working = worked();
  const sums = new Set<number>();
  for (let done = false; !done; ) {
    done = await Promise.race([working, Promise.resolve(false)]);
    const { kept, counted } = await keptAndCounted(sql);
    expect(kept).toEqual(counted);
    const { consented, delegated, ...now } = await readLedger(queryableOf(database), { fullCount: false });
    sums.add(consented + delegated - now.revoked - now.expired - now.removalPending - now.active);
  }
  expect(sums).toEqual(new Set([0]));
  const fallen = MANY + 3;
  const after = await ledgerOf(database);
  expect(after).toEqual({
    created: before.created,
    revoked: before.revoked + fallen,
    expired: before.expired - MANY / 10,
    active: before.active - fallen + MANY / 10,
  });
  await waitFor(async () =>
    (await sumOver(services, 'grantex_grants_revoked_total')) === revokedBefore + fallen ? true : undefined,
  );
  const told = services.flatMap(({ logs }) => logs.filter(({ msg }) => msg === 'grant.revoked'));
  expect(told.reduce((sum, { cascadeCount }) => sum + 1 + Number(cascadeCount), 0)).toBe(fallen);
  expect(new Set(told.map(({ revokedBy }) => revokedBy))).toEqual(new Set(['agent_deleted']));
  const events = await deliveries();
  expect([events.length, new Set(events.map((event) => event['grantId'])).size]).toEqual([fallen, fallen]);
  expect(
    events
      .filter((event) => event['cascade'])
      .map((event) => event['grantId'])
      .sort(),
  ).toEqual([middle.grantId, below.grantId].sort());
  const [left] = await sql`select (select count(*)::int from agents where id = ${doomed}) as agents,
    (select count(*)::int from grants where agent_id = ${doomed}) as grants,
    (select count(*)::int from authorization_requests where agent_id = ${doomed}) as requests,
    (select count(*)::int from removal_grants) as waiting`;
  expect(left).toEqual({ agents: 0, grants: 0, requests: 0, waiting: 0 });
  const [tally] =
    await sql`select consented::int, delegated::int, revoked::int, requested::int, refreshed::int
    from removed_grants where agent_id = ${doomed}`;
  expect(tally).toEqual({
    consented: MANY + 1,
    delegated: 1,
    revoked: MANY + 2,
    requested: 3,
    refreshed: MANY,
  });
  const end = await keptAndCounted(sql);
  expect(end.kept).toEqual(end.counted);
  expect(end.kept['pending']).toBe(0);
});

test('a tree of thousands dies with its root, on every route, and the job is taken over from a replica that is killed', async () => {
  const [first, second] = services as [TestService, TestService];
  const other = await newParty(second);
  party = other;
  const root = await other.grant();
  const sub = await other.newAgent();
  const child = await other.delegate(root.grantToken, { subAgentId: sub });
  await copyGrant(child.grantId, MANY);
  const aside = await other.grant();
  await whileJobWaits(async () => {
    const answers = await Promise.all(
      [first, second, first, second].map((one) =>
        one.request('DELETE', `/v1/grants/${root.grantId}`, { key: other.key }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404, 404, 404]);
    for (const pair of [root, child])
      expect((await post('/v1/tokens/verify', { token: pair.grantToken })).body).toEqual({ valid: false });
    expect(await other.verify(aside.grantToken)).toBe(true);
    expect((await own(second, `/v1/grants?agentId=${sub}&status=active`)).body.total).toBe(0);
    expect((await second.request('DELETE', `/v1/grants/${child.grantId}`, { key: other.key })).status).toBe(
      404,
    );
    first.process.kill('SIGKILL');
  });
  await worked();
  const [row] = await database.sql`select count(*)::int as revoked from grants
    where root_grant_id = ${root.grantId} and status = 'revoked' and revoked_by = 'developer'`;
  expect(row).toEqual({ revoked: MANY + 2 });
  const { kept, counted } = await keptAndCounted(database.sql);
  expect(kept).toEqual(counted);
  expect(await other.verify(aside.grantToken)).toBe(true);
});
