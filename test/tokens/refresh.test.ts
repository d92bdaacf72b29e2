import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());
beforeEach(async () => {
  party = await newParty(service);
});

const refresh = (refreshToken: string, idempotencyKey?: string, agentId = party.agentId) =>
  service.request('POST', '/v1/token/refresh', {
    key: party.key,
    body: { refreshToken, agentId },
    ...(idempotencyKey !== undefined && { headers: { 'idempotency-key': idempotencyKey } }),
  });
const statusOf = async (grantId: string) =>
  (await service.request('GET', `/v1/grants/${grantId}`, { key: party.key })).body.status;
const revocationOf = async (grantId: string) =>
  (await service.logged('grant.revoked')).filter((line) => line['grantId'] === grantId);

test('201: each rotation keeps the grant and its end; the tokens before it stay valid', async () => {
  const first = await party.grant({ expiresIn: '2h' });
  let current = first;
  const seen = new Set([first.refreshToken]);
  for (let n = 0; n < 5; n++) {
    const { status, body } = await refresh(current.refreshToken);
    expect([status, body.grantId, body.expiresAt, body.scopes]).toEqual([
      201,
      first.grantId,
      first.expiresAt,
      first.scopes,
    ]);
    seen.add(body.refreshToken);
    current = body;
  }
  expect(seen.size).toBe(6);
  expect(decodeJwt(current.grantToken).jti).not.toBe(decodeJwt(first.grantToken).jti);
  expect(await party.verify(first.grantToken)).toBe(true);
  const lines = (await service.logged('token.refreshed')).filter(({ grantId }) => grantId === first.grantId);
  expect(lines).toHaveLength(5);
});

test('the refreshed token of a delegated grant still names its parent', async () => {
  const parent = await party.grant();
  const child = await party.delegate(parent.grantToken);
  const { body } = await refresh(child.refreshToken);
  const { parentAgt, parentGrnt, delegationDepth } = decodeJwt(body.grantToken);
  expect({ parentAgt, parentGrnt, delegationDepth }).toEqual({
    parentAgt: `did:grantex:${party.agentId}`,
    parentGrnt: parent.grantId,
    delegationDepth: 1,
  });
});

test('reuse of any used one, the first included, revokes the grant and what was delegated from it, logged once', async () => {
  const first = await party.grant();
  const second = (await refresh(first.refreshToken)).body;
  const third = (await refresh(second.refreshToken)).body;
  const child = await party.delegate(third.grantToken);
  expect((await refresh(first.refreshToken)).status).toBe(400);
  for (const { grantToken } of [first, second, third, child])
    expect(await party.verify(grantToken)).toBe(false);
  expect((await refresh(third.refreshToken)).status).toBe(400);
  expect((await refresh(child.refreshToken)).status).toBe(400);
  expect((await refresh(second.refreshToken)).status).toBe(400);
  expect(await revocationOf(first.grantId)).toEqual([
    expect.objectContaining({ revokedBy: 'refresh_reuse', cascadeCount: 1 }),
  ]);
});

test("reuse in a delegated grant spares the parent's", async () => {
  const parent = await party.grant();
  const child = await party.delegate(parent.grantToken);
  await refresh(child.refreshToken);
  expect((await refresh(child.refreshToken)).status).toBe(400);
  expect(await statusOf(child.grantId)).toBe('revoked');
  expect(await statusOf(parent.grantId)).toBe('active');
});

test('an Idempotency-Key of 255 characters is taken; none and 256 are 400 and use nothing up', async () => {
  const { refreshToken, grantId } = await party.grant();
  expect((await refresh(refreshToken, 'k'.repeat(256))).status).toBe(400);
  expect((await refresh(refreshToken, '')).status).toBe(400);
  expect((await refresh(refreshToken, 'k'.repeat(255))).status).toBe(201);
  expect(await statusOf(grantId)).toBe('active');
});

test('a retry with the key but for another agent is refused', async () => {
  const { refreshToken } = await party.grant();
  const first = await refresh(refreshToken, 'once');
  expect(first.status).toBe(201);
  expect((await refresh(refreshToken, 'once', await party.newAgent())).status).toBe(400);
  expect(await party.verify(first.body.grantToken)).toBe(true);
});

test('a second use without the key, or a key on a second use only, is reuse', async () => {
  const keyed = await party.grant();
  await refresh(keyed.refreshToken, 'once');
  expect((await refresh(keyed.refreshToken)).status).toBe(400);
  expect(await statusOf(keyed.grantId)).toBe('revoked');
  const plain = await party.grant();
  await refresh(plain.refreshToken);
  expect((await refresh(plain.refreshToken, 'late')).status).toBe(400);
  expect(await statusOf(plain.grantId)).toBe('revoked');
});

test('a retry four minutes later is a retry', async () => {
  const { refreshToken, grantId } = await party.grant();
  await refresh(refreshToken, 'once');
  await service.database
    .sql`update refresh_tokens set used_at = used_at - interval '240 seconds' where grant_id = ${grantId} and used_at is not null`;
  expect((await refresh(refreshToken, 'once')).status).toBe(201);
  expect(await statusOf(grantId)).toBe('active');
});

test('retries at the same moment leave one successor that works', async () => {
  const { sql } = service.database;
  const { refreshToken, grantId } = await party.grant();
  // All of them wait for the row that the test holds, and go on together.
  const answers = await sql.begin(async (holding) => {
    await holding`select from refresh_tokens where grant_id = ${grantId} for update`;
    const waiting = (statements: number) =>
      waitFor(async () => {
        const [row] = await sql`select count(*)::int as waiting from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`;
        return row?.['waiting'] >= statements || undefined;
      });
    // One is under way alone; the others share the next statement.
    const first = refresh(refreshToken, 'once');
    await waiting(1);
    const others = Array.from({ length: 3 }, () => refresh(refreshToken, 'once'));
    await waiting(2);
    return { retries: [first, ...others] };
  });
  const statuses = (await Promise.all(answers.retries)).map(({ status }) => status);
  expect(statuses).toEqual([201, 201, 201, 201]);
  const [row] = await sql`select count(*)::int as live from refresh_tokens
    where grant_id = ${grantId} and used_at is null and replaced_at is null`;
  expect(row).toEqual({ live: 1 });
});

test('400 for a missing or wrong member, 401 before it; only the first is an attempt', async () => {
  const errors = async () =>
    (await service.scrape()).value('grantex_token_refresh_total', { status: 'error' }) ?? Number.NaN;
  const post = async (body: unknown, key: string) =>
    (await service.request('POST', '/v1/token/refresh', { key, body })).status;
  const before = await errors();
  expect(await post({}, party.key)).toBe(400);
  expect(await post({ refreshToken: 7, agentId: party.agentId }, party.key)).toBe(400);
  expect(await post({ refreshToken: 'ref_unknown', agentId: party.agentId }, party.key)).toBe(400);
  expect(await post({}, 'gx_live_nobody_has_this_key')).toBe(401);
  expect(await errors()).toBe(before + 3);
});

test('400 while the agent is suspended; 201 afterwards, for the attempt used nothing up', async () => {
  const { refreshToken } = await party.grant();
  const patch = (status: string) =>
    service.request('PATCH', `/v1/agents/${party.agentId}`, { key: party.key, body: { status } });
  await patch('suspended');
  expect((await refresh(refreshToken)).status).toBe(400);
  await patch('active');
  expect((await refresh(refreshToken)).status).toBe(201);
});
