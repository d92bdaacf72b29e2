import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party, type TokenPair } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let replica: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
  // Both have one issuer, as behind one PUBLIC_URL, so that each verifies the tokens of the other.
  replica = await startService({ database: service.database, env: { JWT_ISSUER: service.url } });
  party = await newParty(service);
});
afterAll(async () => {
  await replica.stop();
  await service.stop();
});

const refresh = (refreshToken: string, idempotencyKey?: string, at = service) =>
  at.request('POST', '/v1/token/refresh', {
    key: party.key,
    body: { refreshToken, agentId: party.agentId },
    ...(idempotencyKey !== undefined && { headers: { 'idempotency-key': idempotencyKey } }),
  });
const statusOf = async (grantId: string) =>
  (await service.request('GET', `/v1/grants/${grantId}`, { key: party.key })).body.status;
const hash = (text: string) => createHash('sha256').update(text).digest();
const living = async (grantId: string) => {
  const rows = await service.database.sql`select hash from refresh_tokens
    where grant_id = ${grantId} and used_at is null and replaced_at is null`;
  return rows.map((row) => row['hash'] as Buffer);
};
const refreshes = async () => {
  const values = await Promise.all([service, replica].map((one) => one.scrape()));
  return values.reduce(
    (sum, one) => sum + (one.value('grantex_token_refresh_total', { status: 'success' }) ?? 0),
    0,
  );
};

test('50 retries at the same moment on two replicas get one successor, and tokens of one grant that all live', async () => {
  const { refreshToken, grantId } = await party.grant();
  const before = await refreshes();
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => refresh(refreshToken, 'once', n % 2 ? service : replica)),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(201));
  const pairs: TokenPair[] = answers.map(({ body }) => body);
  const successors = new Set(pairs.map((pair) => pair.refreshToken));
  expect(successors.size).toBe(1);
  const [successor = ''] = successors;
  expect(successor).toMatch(/^ref_[\w-]{43}$/);
  expect(await living(grantId)).toEqual([hash(successor)]);
  expect(new Set(pairs.map((pair) => pair.grantToken)).size).toBe(50);
  expect(new Set(pairs.map((pair) => pair.grantId))).toEqual(new Set([grantId]));
  const [row] = await service.database
    .sql`select repeats from refresh_tokens where hash = ${hash(successor)}`;
  expect(row).toEqual({ repeats: 49 });
  expect(await refreshes()).toBe(before + 50);
  expect((await refresh(successor)).status).toBe(201);
});

test('a retry after the successor was used is reuse: 400, and nothing of the grant lives', async () => {
  const { refreshToken, grantId } = await party.grant();
  const successor = (await refresh(refreshToken, 'once')).body;
  expect((await refresh(refreshToken, 'once', replica)).body.refreshToken).toBe(successor.refreshToken);
  const next = (await refresh(successor.refreshToken)).body;
  expect((await refresh(refreshToken, 'once')).status).toBe(400);
  expect(await statusOf(grantId)).toBe('revoked');
  expect((await refresh(next.refreshToken)).status).toBe(400);
  expect(await party.verify(next.grantToken)).toBe(false);
});

test('a retry and the use of the successor at the same moment never leave two chains', async () => {
  for (let round = 0; round < 8; round++) {
    const { refreshToken, grantId } = await party.grant();
    const { body } = await refresh(refreshToken, 'once');
    const retries = () =>
      Array.from({ length: 4 }, (_, n) => refresh(refreshToken, 'once', n % 2 ? service : replica));
    const [use, ...retried] = await Promise.all([refresh(body.refreshToken), ...retries()]);
    for (const answer of retried)
      if (answer.status === 201) expect(answer.body.refreshToken).toBe(body.refreshToken);
    const refused = retried.some(({ status }) => status === 400);
    expect(await statusOf(grantId)).toBe(refused ? 'revoked' : 'active');
    if (use?.status === 201 && !refused) expect(await living(grantId)).toEqual([hash(use.body.refreshToken)]);
    else expect((await living(grantId)).length).toBeLessThanOrEqual(1);
  }
});

test('another key, token or secret gives another successor', async () => {
  const [one, two] = [await party.grant(), await party.grant()];
  const successors = [
    (await refresh(one.refreshToken, 'a')).body.refreshToken,
    (await refresh(two.refreshToken, 'a')).body.refreshToken,
  ];
  expect(new Set(successors).size).toBe(2);
  expect((await refresh(one.refreshToken, 'b')).status).toBe(400);
  expect(await statusOf(one.grantId)).toBe('revoked');
});

test('five minutes later a retry is reuse', async () => {
  const { refreshToken, grantId } = await party.grant();
  await refresh(refreshToken, 'once');
  await service.database.sql`update refresh_tokens set used_at = used_at - interval '5 minutes'
    where grant_id = ${grantId} and used_at is not null`;
  expect((await refresh(refreshToken, 'once')).status).toBe(400);
  expect(await statusOf(grantId)).toBe('revoked');
});

test('a retry of a refresh that the version before answered replaces its random successor, which then is reuse', async () => {
  const { refreshToken, grantId } = await party.grant();
  await refresh(refreshToken, 'once');
  // That version did not derive the successor.
  const { sql } = service.database;
  await sql`update refresh_tokens set hash = ${hash('ref_random')} where grant_id = ${grantId} and used_at is null`;
  const answers = await Promise.all(Array.from({ length: 6 }, () => refresh(refreshToken, 'once')));
  expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(201));
  const [successor = '', ...others] = new Set(answers.map(({ body }) => body.refreshToken as string));
  expect(others).toEqual([]);
  expect(await living(grantId)).toEqual([hash(successor)]);
  expect((await refresh('ref_random')).status).toBe(400);
  expect(await statusOf(grantId)).toBe('revoked');
});

test('the version before, which replaces successors, may answer a retry in between', async () => {
  const { refreshToken, grantId } = await party.grant();
  const { body } = await refresh(refreshToken, 'once');
  const { sql } = service.database;
  await sql`update refresh_tokens set replaced_at = now() where hash = ${hash(body.refreshToken)}`;
  await sql`insert into refresh_tokens (hash, grant_id, agent_id, predecessor, issued_at)
    values (${hash('ref_between')}, ${grantId}, ${party.agentId}, ${hash(refreshToken)}, now())`;
  const again = await refresh(refreshToken, 'once');
  expect([again.status, again.body.refreshToken]).toEqual([201, body.refreshToken]);
  expect(await living(grantId)).toEqual([hash(body.refreshToken)]);
});
