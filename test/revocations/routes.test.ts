import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { pollFrom, type ReadEntry, snapshotOf } from './follow.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

const get = (path: string, key: string) => service.request('GET', path, { key });
const revoke = async (party: Party, grantId: string) => {
  const { status } = await service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
  expect(status).toBe(204);
};
const setStatus = async (party: Party, agentId: string, status: string) => {
  const answer = await service.request('PATCH', `/v1/agents/${agentId}`, {
    key: party.key,
    body: { status },
  });
  expect(answer.status).toBe(200);
};
const cursorOf = async (party: Party): Promise<number> =>
  (await get('/v1/revocations', party.key)).body.cursor;
const acts = (entries: readonly ReadEntry[]) => entries.map(({ action, grantId }) => [action, grantId]);

describe('entries', () => {
  test('a revoked grant: its id, its expiry and when; for its developer only', async () => {
    const [party, stranger] = [await newParty(service), await newParty(service)];
    const since = await cursorOf(party);
    const grant = await party.grant();
    await revoke(party, grant.grantId);
    const [entry] = await pollFrom(service, party.key, since, 1);
    const [row] = await service.database
      .sql`select revoked_at, expires_at from grants where id = ${grant.grantId}`;
    expect(entry).toEqual({
      seq: expect.any(Number),
      action: 'revoked',
      grantId: grant.grantId,
      expiresAt: row?.['expires_at'].toISOString(),
      at: row?.['revoked_at'].toISOString(),
    });
    expect(entry?.seq).toBeGreaterThan(since);
    expect((await get('/v1/revocations', stranger.key)).body.entries).toEqual([]);
    expect((await get(`/v1/revocations?since=${since}`, stranger.key)).body.entries).toEqual([]);
  });

  test('a cascade: one for each grant of the tree', async () => {
    const party = await newParty(service);
    const since = await cursorOf(party);
    const root = await party.grant();
    const child = await party.delegate(root.grantToken);
    const grandchild = await party.delegate(child.grantToken);
    await revoke(party, root.grantId);
    const entries = await pollFrom(service, party.key, since, 3);
    expect(new Set(entries.map(({ grantId }) => grantId))).toEqual(
      new Set([root.grantId, child.grantId, grandchild.grantId]),
    );
    expect(entries.map(({ action }) => action)).toEqual(['revoked', 'revoked', 'revoked']);
  });

  test('a token: its jti, its grant and its own expiry', async () => {
    const party = await newParty(service);
    const since = await cursorOf(party);
    const { grantToken, grantId, expiresAt } = await party.grant();
    const { jti } = decodeJwt(grantToken);
    const { status } = await service.request('POST', '/v1/tokens/revoke', { key: party.key, body: { jti } });
    expect(status).toBe(204);
    const entries = await pollFrom(service, party.key, since, 1);
    expect(entries).toEqual([
      { seq: expect.any(Number), action: 'token_revoked', grantId, jti, expiresAt, at: expect.any(String) },
    ]);
  });

  test('a suspended agent: one for each of its living grants, and one more when it is resumed', async () => {
    const party = await newParty(service);
    const since = await cursorOf(party);
    const other = await party.newAgent();
    const [one, two, dead] = [await party.grant(), await party.grant(), await party.grant()];
    await party.grant({ agentId: other });
    await revoke(party, dead.grantId);
    await pollFrom(service, party.key, since, 1);
    await setStatus(party, party.agentId, 'suspended');
    const suspended = await pollFrom(service, party.key, since, 3);
    expect(acts(suspended)).toEqual([
      ['revoked', dead.grantId],
      ['suspended', two.grantId],
      ['suspended', one.grantId],
    ]);
    expect(acts((await snapshotOf(service, party.key)).entries)).toEqual(acts(suspended));
    await setStatus(party, party.agentId, 'active');
    const resumed = await pollFrom(service, party.key, suspended.at(-1)?.seq ?? 0, 2);
    expect(acts(resumed)).toEqual([
      ['resumed', two.grantId],
      ['resumed', one.grantId],
    ]);
    expect(acts((await snapshotOf(service, party.key)).entries)).toEqual([['revoked', dead.grantId]]);
  });

  test('a suspended agent whose grant is revoked and that is resumed: the grant stays revoked', async () => {
    const party = await newParty(service);
    const since = await cursorOf(party);
    const grant = await party.grant();
    await setStatus(party, party.agentId, 'suspended');
    await revoke(party, grant.grantId);
    await setStatus(party, party.agentId, 'active');
    await pollFrom(service, party.key, since, 1);
    await waitFor(async () => (await openChanges()) === 0 || undefined);
    const { entries } = await snapshotOf(service, party.key);
    expect(acts(entries)).toEqual([['revoked', grant.grantId]]);
    const all = await pollFrom(service, party.key, since, 1);
    expect(all.at(-1)?.action).toBe('revoked');
  });

  test('a deleted agent: one for each of its grants, though the grants are gone', async () => {
    const party = await newParty(service);
    const since = await cursorOf(party);
    const agentId = await party.newAgent();
    const grant = await party.grant({ agentId });
    await service.request('DELETE', `/v1/agents/${agentId}`, { key: party.key });
    expect(acts(await pollFrom(service, party.key, since, 1))).toEqual([['revoked', grant.grantId]]);
    expect(acts((await snapshotOf(service, party.key)).entries)).toEqual([['revoked', grant.grantId]]);
  });

  test('what has expired is left out', async () => {
    const party = await newParty(service);
    const since = await cursorOf(party);
    const grant = await party.grant();
    await revoke(party, grant.grantId);
    await pollFrom(service, party.key, since, 1);
    await service.database
      .sql`update revocation_entries set expires_at = now() where grant_id = ${grant.grantId}`;
    expect((await snapshotOf(service, party.key)).entries).toEqual([]);
    expect((await get(`/v1/revocations?since=${since}`, party.key)).body.entries).toEqual([]);
  });
});

const openChanges = async () => {
  const [row] = await service.database
    .sql`select count(*)::int as n from revocation_agents where expanded_by is null`;
  return row?.['n'];
};

describe('GET /v1/revocations', () => {
  test('a snapshot has pages, all of one moment, and following goes on from there', async () => {
    const party = await newParty(service);
    const { sql } = service.database;
    const add = (from: number, to: number) => sql`
      insert into revocation_outbox (developer_id, action, grant_id, expires_at, at)
      select ${party.developerId}, 'revoked', ${party.agentId} || n, now() + interval '1 hour', now()
      from generate_series(${from}::int, ${to}::int) n`;
    await add(1, 2500);
    await waitFor(async () => (await sql`select from revocation_outbox`).length === 0 || undefined);
    const first = (await get('/v1/revocations', party.key)).body;
    expect(first.entries).toHaveLength(1000);
    await add(2501, 2600);
    await waitFor(async () => (await sql`select from revocation_outbox`).length === 0 || undefined);
    const second = (await get(`/v1/revocations?pageToken=${first.nextPageToken}`, party.key)).body;
    const third = (await get(`/v1/revocations?pageToken=${second.nextPageToken}`, party.key)).body;
    expect([second.cursor, third.cursor, third.nextPageToken]).toEqual([
      first.cursor,
      first.cursor,
      undefined,
    ]);
    const rest = (await get(`/v1/revocations?since=${first.cursor}`, party.key)).body;
    const ids = [first, second, third, rest].flatMap(({ entries }) =>
      entries.map((one: ReadEntry) => one.grantId),
    );
    expect(ids).toEqual(Array.from({ length: 2600 }, (_, n) => `${party.agentId}${n + 1}`));
  });

  test('a poll without anything new waits, and answers when something comes', async () => {
    const party = await newParty(service);
    const grant = await party.grant();
    const since = await cursorOf(party);
    const begun = performance.now();
    const empty = await get(`/v1/revocations?since=${since}&wait=1`, party.key);
    expect([empty.status, empty.body.entries]).toEqual([200, []]);
    expect(performance.now() - begun).toBeGreaterThan(990);
    const waiting = get(`/v1/revocations?since=${empty.body.cursor}&wait=30`, party.key);
    await revoke(party, grant.grantId);
    const { body } = await waiting;
    expect(acts(body.entries)).toEqual([['revoked', grant.grantId]]);
    expect(body.cursor).toBe(body.entries[0].seq);
  });

  test.each([
    'since=-1',
    'since=x',
    'since=1&wait=31',
    'since=1&wait=-1',
    'pageToken=1',
    'pageToken=x.y',
    'pageToken=1.1&since=1',
  ])('400: %s', async (search) => {
    const party = await newParty(service);
    expect((await get(`/v1/revocations?${search}`, party.key)).status).toBe(400);
  });

  test('410 for a cursor that no entry had yet: the database has lost what it had', async () => {
    const party = await newParty(service);
    const { cursor } = (await get('/v1/revocations', party.key)).body;
    for (const path of ['', '/stream']) {
      const answer = await get(`/v1/revocations${path}?since=${cursor + 1_000_000}`, party.key);
      expect([answer.status, answer.body.code]).toEqual([410, 'GONE']);
    }
  });

  test.each(['/v1/revocations', '/v1/revocations?since=0', '/v1/revocations/stream'])(
    '401 without a key: %s',
    async (path) => {
      expect((await service.request('GET', path)).status).toBe(401);
    },
  );
});
