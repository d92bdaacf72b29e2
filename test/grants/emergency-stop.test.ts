import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { fingerprint } from '../support/fingerprint.ts';
import { newParty, type Party } from '../support/flow.ts';
import { keptAndCounted } from '../support/kept-numbers.ts';
import { sumOver } from '../support/ledger.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { copies, whileJobWaits, worked } from './stopped.ts';

let database: TestDatabase;
let services: TestService[];
let first: TestService;
let second: TestService;
const start = () => startService({ database, env: { JWT_ISSUER: 'https://auth.example.com' } });
beforeAll(async () => {
  database = await createTestDatabase();
  services = await Promise.all([start(), start()]);
  [first, second] = services as [TestService, TestService];
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await database.drop();
});

const stop = (of: Party, body: object, at = first) =>
  at.request('POST', '/v1/grants/revoke', { key: of.key, body });
const revokedBy = async (of: Party, body: object, at = first) => (await stop(of, body, at)).body.revoked;
const get = async (of: Party, path: string) => (await second.request('GET', path, { key: of.key })).body;
const grantFor = (of: Party, principalId: string, agentId = of.agentId) => of.grant({ principalId, agentId });
test.each([
  [{}],
  [{ dryRun: true }],
  [{ all: false }],
  [{ all: true, principalId: 'user_1' }],
  [{ all: true, agentId: 'ag_1' }],
  [{ principalId: '' }],
  [{ all: 'true' }],
  [{ principalId: 'user_1', dryRun: 'no' }],
])('400 for %j', async (body) => {
  const party = await newParty(first);
  const pair = await party.grant();
  expect((await stop(party, body)).status).toBe(400);
  expect(await party.verify(pair.grantToken)).toBe(true);
});

test('principal, agent, both or all: what is counted is what dies, and a dry run changes nothing', async () => {
  const party = await newParty(first);
  const stranger = await newParty(first);
  const others = await stranger.grant({ principalId: 'alice' });
  const [helper, sub] = [await party.newAgent(), await party.newAgent()];
  const grants = {
    alice: await grantFor(party, 'alice'),
    alicesHelper: await grantFor(party, 'alice', helper),
    bob: await grantFor(party, 'bob'),
    bobsHelper: await grantFor(party, 'bob', helper),
    carol: await grantFor(party, 'carol'),
  };
  const below = await party.delegate(grants.bobsHelper.grantToken, { subAgentId: sub });
  const all = Object.entries({ ...grants, below });
  const LISTS: [string, readonly string[]][] = [
    ['', all.map(([name]) => name)],
    [`&agentId=${helper}`, ['alicesHelper', 'bobsHelper']],
    ['&principalId=alice', ['alice', 'alicesHelper']],
    ['&principalId=bob', ['bob', 'bobsHelper', 'below']],
    [`&agentId=${helper}&principalId=bob`, ['bobsHelper']],
  ];
  /** The names of living grants, of which every list has its part. */
  const alive = async () => {
    const judged = await Promise.all(all.map(([, { grantToken }]) => party.verify(grantToken)));
    const names = all.flatMap(([name], n) => (judged[n] ? [name] : []));
    for (const [filter, part] of LISTS) {
      const { grants: listed, total } = await get(party, `/v1/grants?status=active${filter}`);
      const ids = all.filter(([name]) => names.includes(name) && part.includes(name));
      expect(total, filter).toBe(ids.length);
      const found: readonly string[] = listed.map(({ grantId }: { grantId: string }) => grantId);
      expect(found.toSorted(), filter).toEqual(ids.map(([, { grantId }]) => grantId).toSorted());
    }
    return names;
  };
  const expired = await grantFor(party, 'alice');
  await database.sql`update grants set expires_at = now() - interval '1 minute' where id = ${expired.grantId}`;

  const before = await fingerprint(database.sql);
  const dry = async (body: object) => (await stop(party, { ...body, dryRun: true })).body;
  expect(await dry({ principalId: 'alice' })).toEqual({ revoked: 2, dryRun: true });
  expect(await dry({ agentId: helper })).toEqual({ revoked: 3, dryRun: true });
  expect(await dry({ agentId: helper, principalId: 'bob' })).toEqual({ revoked: 2, dryRun: true });
  expect(await dry({ all: true })).toEqual({ revoked: 6, dryRun: true });
  expect(await dry({ principalId: 'nobody' })).toEqual({ revoked: 0, dryRun: true });
  expect(await fingerprint(database.sql)).toEqual(before);

  // Nothing has been worked off yet: the mark alone must say no.
  await whileJobWaits(database.sql, async () => {
    const one = await stop(party, { principalId: 'alice', agentId: helper });
    expect([one.status, one.body]).toEqual([200, { revoked: 1, dryRun: false }]);
    expect(await alive()).toEqual(['alice', 'bob', 'bobsHelper', 'carol', 'below']);
    expect(await revokedBy(party, { agentId: helper })).toBe(2);
    expect(await alive()).toEqual(['alice', 'bob', 'carol']);
    expect(await revokedBy(party, { principalId: 'alice' }, second)).toBe(1);
    expect(await alive()).toEqual(['bob', 'carol']);
    expect(await revokedBy(party, { principalId: 'alice' })).toBe(0);
    expect(await revokedBy(party, { all: true })).toBe(2);
    expect(await alive()).toEqual([]);
    const { grantId } = await grantFor(party, 'alice', helper);
    for (const [filter] of LISTS.filter(([one]) => !one.includes('bob')))
      expect((await get(party, `/v1/grants?status=active${filter}`)).grants).toMatchObject([{ grantId }]);
  });
  expect(await stranger.verify(others.grantToken)).toBe(true);
  await worked(database.sql);
  expect((await get(party, '/v1/grants?status=active')).total).toBe(1);
  expect((await get(party, '/v1/grants?status=revoked')).total).toBe(7);
  expect(await stranger.verify(others.grantToken)).toBe(true);
});

test('from the answer on, every route says no, on both replicas; what is made afterwards lives', async () => {
  const party = await newParty(first);
  const pair = await grantFor(party, 'dora');
  const child = await party.delegate(pair.grantToken, { subAgentId: await party.newAgent() });
  const code = await party.consent({ principalId: 'dora' });
  const post = (path: string, body: object) => second.request('POST', path, { key: party.key, body });
  await whileJobWaits(database.sql, async () => {
    expect(await revokedBy(party, { principalId: 'dora' })).toBe(2);
    for (const { grantToken, grantId, refreshToken } of [pair, child]) {
      expect((await post('/v1/tokens/verify', { token: grantToken })).body).toEqual({ valid: false });
      expect((await post('/v1/grants/verify', { token: grantToken })).body.reason).toBe('revoked');
      const asked = { key: party.key, body: `token=${refreshToken}` };
      expect((await second.request('POST', '/oauth/introspect', asked)).body).toEqual({ active: false });
      expect((await get(party, `/v1/grants/${grantId}`)).status).toBe('revoked');
      expect((await get(party, `/v1/revocations/status?grantId=${grantId}`)).status).toBe('revoked');
    }
    const refresh = { refreshToken: pair.refreshToken, agentId: party.agentId };
    expect((await post('/v1/token/refresh', refresh)).status).toBe(400);
    const delegation = {
      parentGrantToken: child.grantToken,
      subAgentId: party.agentId,
      scopes: ['calendar:read'],
    };
    expect((await post('/v1/grants/delegate', delegation)).status).toBe(400);
    // A decision of the principal that waits for its exchange is no grant yet.
    const later = await party.exchange(code);
    const another = await grantFor(party, 'dora');
    expect([await party.verify(later.grantToken), await party.verify(another.grantToken)]).toEqual([
      true,
      true,
    ]);
  });
  await worked(database.sql);
  expect((await get(party, '/v1/grants?status=active&principalId=dora')).total).toBe(2);
});

test('stops at the same moment, and a replica that is killed: each grant is counted and told of once', async () => {
  const doomed = await start();
  services.push(doomed);
  const party = await newParty(first);
  const MANY = 1200;
  const { grantId } = await grantFor(party, 'eve');
  await copies(database.sql, grantId, MANY);
  await database.sql`insert into webhooks (id, developer_id, url, events, sealed_secret, created_at)
    values ('wh_stop', ${party.developerId}, 'https://hooks.invalid/', '{grant.revoked}', '', now())`;
  const survivors = [first, second];
  const counted = await sumOver(survivors, 'grantex_grants_revoked_total');
  const answers = await whileJobWaits(database.sql, async () => {
    const both = await Promise.all(
      [{ principalId: 'eve' }, { all: true }, { agentId: party.agentId }, { principalId: 'eve' }].map(
        (body, n) => revokedBy(party, body, [doomed, first, second][n % 3]),
      ),
    );
    doomed.process.kill('SIGKILL');
    return both;
  });
  expect(answers.sort((a, b) => a - b)).toEqual([0, 0, 0, MANY + 1]);
  await worked(database.sql);
  const rows =
    await database.sql`select distinct revoked_by as by, status from grants where developer_id = ${party.developerId}`;
  expect([...rows]).toEqual([{ by: 'developer', status: 'revoked' }]);
  await waitFor(async () =>
    (await sumOver(survivors, 'grantex_grants_revoked_total')) === counted + MANY + 1 ? true : undefined,
  );
  const lines = survivors
    .flatMap(({ logs }) => logs)
    .filter((line) => line.msg === 'grant.revoked' && line['developerId'] === party.developerId);
  expect([lines.length, new Set(lines.map((line) => line['grantId'])).size]).toEqual([MANY + 1, MANY + 1]);
  expect(new Set(lines.map((line) => line['revokedBy']))).toEqual(new Set(['developer']));
  const [told] =
    await database.sql`select count(*)::int as events, count(distinct data->>'grantId')::int as grants
    from webhook_deliveries where webhook_id = 'wh_stop'`;
  expect(told).toEqual({ events: MANY + 1, grants: MANY + 1 });
  const { kept, counted: rowsCounted } = await keptAndCounted(database.sql);
  expect(kept).toEqual(rowsCounted);
});

test('a grant whose request was under way, and that is committed after the job had looked, dies too', async () => {
  const party = await newParty(first);
  const pair = await grantFor(party, 'finn');
  expect(await revokedBy(party, { principalId: 'finn' })).toBe(1);
  const statusOf = async (id: string) =>
    (await database.sql`select status from grants where id = ${id}`)[0]?.['status'];
  await waitFor(async () => ((await statusOf(pair.grantId)) === 'revoked' ? true : undefined));
  const late = `${pair.grantId}_1`;
  await whileJobWaits(database.sql, async () => {
    await copies(database.sql, pair.grantId, 1);
    const seen = (await get(party, `/v1/grants/${late}`)).status;
    expect([await statusOf(late), seen]).toEqual(['active', 'revoked']);
  });
  await worked(database.sql);
  expect(await statusOf(late)).toBe('revoked');
});

test('the clock of another replica was ahead when it made the grant: the stop kills it', async () => {
  const party = await newParty(first);
  const pair = await grantFor(party, 'gina');
  await database.sql`update grants set issued_at = issued_at + interval '3 seconds' where id = ${pair.grantId}`;
  expect(await revokedBy(party, { principalId: 'gina' })).toBe(1);
  expect(await party.verify(pair.grantToken)).toBe(false);
  await worked(database.sql);
  expect(await party.verify(pair.grantToken)).toBe(false);
});
