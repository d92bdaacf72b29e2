import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeCheckpoints } from '../../src/audit/make-checkpoints.ts';
import { cutoffsAt } from '../../src/retention/cutoffs.ts';
import { oldestDueSeconds } from '../../src/retention/oldest-store.ts';
import { newKeyRing } from '../audit/chain-of.ts';
import { type ChainEntry, firstBrokenEntry } from '../support/audit-chain.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { anomalyOf, newParty, type Party } from '../support/flow.ts';
import { ledgerOf } from '../support/ledger.ts';
import { openTestDatabase } from '../support/open-database.ts';
import { expectReconciled } from '../support/reconcile.ts';
import { startService, type TestService } from '../support/service.ts';
import { age } from './age.ts';
import { openRemover } from './remover.ts';

const DAY = 24;
let database: TestDatabase;
let service: TestService;
let party: Party;
beforeEach(async () => {
  database = await createTestDatabase();
  // The service leaves everything to the test.
  await database.sql`update retention_turn set holder = 'test', held_until = 'infinity'`;
  service = await startService({ database });
  party = await newParty(service);
});
afterEach(async () => {
  await service.stop();
  await database.drop();
});

const call = (method: string, path: string, body?: unknown) =>
  service.request(method, path, { key: party.key, body });
const refresh = async (refreshToken: string) => {
  const { status, body } = await call('POST', '/v1/token/refresh', { refreshToken, agentId: party.agentId });
  expect(status).toBe(201);
  return body as { refreshToken: string; grantToken: string };
};
/** How many rows each table has. */
async function rows(): Promise<Record<string, number>> {
  const [counts] = await database.sql`select
    (select count(*) from authorization_requests)::int as requests, (select count(*) from tokens)::int as tokens,
    (select count(*) from refresh_tokens)::int as refresh, (select count(*) from grants)::int as grants,
    (select count(*) from anomalies)::int as anomalies, (select count(*) from audit_entries)::int as audit`;
  return { ...counts };
}
const tallies = async () => {
  const found = await database.sql`select counted, type, sum(total)::int as total from retention_tallies
    group by counted, type order by counted, type`;
  return Object.fromEntries(
    found.map(({ counted, type, total }) => [type ? `${counted} ${type}` : counted, total]),
  );
};
/** Makes the checkpoints that are due, which the service does within a minute. */
async function signHeads(): Promise<void> {
  const db = await openTestDatabase(database);
  const deps = { db, clock: { now: () => Date.now() }, keys: await newKeyRing('k'), issuer: () => 'i' };
  const fail = (error: unknown) => {
    throw error;
  };
  while (await makeCheckpoints(deps, fail));
  await db.close(1000);
}

/** Runs retention once, with these settings. @returns what it counted */
async function remove(env: Record<string, string> = {}): Promise<Record<string, number>> {
  const remover = await openRemover(database, env);
  try {
    await remover.run();
    const due = await oldestDueSeconds(remover.db, cutoffsAt(remover.config, Date.now()));
    expect(Object.values(due)).toEqual([0, 0, 0, 0, 0, 0]);
    return await remover.counted();
  } finally {
    await remover.close();
  }
}

test('what has ended goes: requests, tokens and refresh tokens after RETENTION_DAYS, grants after GRANT_RETENTION_DAYS', async () => {
  const { grantId, refreshToken: first } = await party.grant({ expiresIn: '1h' });
  const { refreshToken: second } = await refresh(first);
  const revoked = await party.grant();
  await call('DELETE', `/v1/grants/${revoked.grantId}`);
  await party.authorize();
  const denied = await party.authorize();
  await service.request('POST', `/v1/consent/${denied.authRequestId}/deny`);
  const before = await rows();
  expect(before).toEqual({ requests: 4, tokens: 3, refresh: 3, grants: 2, anomalies: 0, audit: 0 });

  // Half an hour before everything is due: what ended an hour after it began is not.
  await age(database.sql, 30 * DAY - 0.5);
  expect(await remove()).toEqual({});
  expect(await rows()).toEqual(before);

  await age(database.sql, 2);
  expect(await remove()).toEqual({ authorization_requests: 4, tokens: 3, refresh_tokens: 3 });
  expect(await rows()).toEqual({ requests: 0, tokens: 0, refresh: 0, grants: 2, anomalies: 0, audit: 0 });
  expect(await tallies()).toEqual({ requested: 4, refreshed: 1 });
  await expectReconciled(service);

  await age(database.sql, 370 * DAY - 2);
  expect(await remove()).toEqual({});
  await age(database.sql, 2);
  expect(await remove()).toEqual({ grants: 2 });
  expect(await rows()).toEqual({ requests: 0, tokens: 0, refresh: 0, grants: 0, anomalies: 0, audit: 0 });
  expect(await tallies()).toEqual({ requested: 4, refreshed: 1, consented: 2, revoked: 1 });
  expect(await ledgerOf(database)).toEqual({ created: 2, revoked: 1, expired: 1, active: 0 });
  await expectReconciled(service);

  // What is presented of a removed grant is simply invalid.
  for (const refreshToken of [first, second]) {
    const answer = await call('POST', '/v1/token/refresh', { refreshToken, agentId: party.agentId });
    expect(answer.status).toBe(400);
  }
  expect(await party.verify(revoked.grantToken)).toBe(false);
  const status = await call('GET', `/v1/revocations/status?grantId=${grantId}`);
  expect(status.body).toEqual({ revoked: true, status: 'unknown' });
  expect((await call('DELETE', `/v1/grants/${grantId}`)).status).toBe(404);
});

test('a grant that is alive keeps what is alive of it: its used tokens go, and replays of them revoke nothing', async () => {
  const code = await party.consent({ expiresIn: '60d' });
  const { grantId, refreshToken: first } = await party.exchange(code);
  const { refreshToken: second } = await refresh(first);
  const { refreshToken: third } = await refresh(second);
  await age(database.sql, 29 * DAY);
  const { refreshToken: fourth } = await refresh(third);
  const { refreshToken: fifth } = await refresh(fourth);

  await age(database.sql, 1.5 * DAY);
  expect(await remove()).toMatchObject({ authorization_requests: 1, refresh_tokens: 2 });
  // The third one was used a day and a half ago.
  const kept = await database.sql`select used_at is null as unused from refresh_tokens order by issued_at`;
  expect(kept.map(({ unused }) => unused)).toEqual([false, false, true]);
  await expectReconciled(service);

  expect((await call('POST', '/v1/token', { code, agentId: party.agentId })).status).toBe(400);
  for (const refreshToken of [first, second])
    expect((await call('POST', '/v1/token/refresh', { refreshToken, agentId: party.agentId })).status).toBe(
      400,
    );
  const { grantToken } = await refresh(fifth);
  expect(await party.verify(grantToken)).toBe(true);
  // This one is still known, and its replay still revokes.
  const replay = await call('POST', '/v1/token/refresh', { refreshToken: third, agentId: party.agentId });
  expect(replay.status).toBe(400);
  expect((await call('GET', `/v1/grants/${grantId}`)).body.status).toBe('revoked');
  await expectReconciled(service);
});

test('a tree goes from its leaves to its root, all at once where it ended at once', async () => {
  const root = await party.grant({ expiresIn: '90d' });
  const child = await party.delegate(root.grantToken, { expiresIn: '90d' });
  await party.delegate(child.grantToken, { expiresIn: '90d' });
  const other = await party.delegate(root.grantToken, { expiresIn: '1h' });
  await age(database.sql, 35 * DAY);
  // Only the short one has ended for long.
  expect(await remove({ GRANT_RETENTION_DAYS: '30' })).toMatchObject({ grants: 1 });
  expect((await call('GET', `/v1/grants/${other.grantId}`)).status).toBe(404);

  await call('DELETE', `/v1/grants/${root.grantId}`);
  await age(database.sql, 31 * DAY);
  expect(await remove({ GRANT_RETENTION_DAYS: '30' })).toMatchObject({ grants: 3 });
  expect(await tallies()).toEqual({ requested: 1, consented: 1, delegated: 3, revoked: 3 });
  await expectReconciled(service);
});

test('the principal still sees when a grant was last used, after its refresh tokens have gone', async () => {
  const { refreshToken } = await party.grant({ expiresIn: '1h' });
  await refresh(refreshToken);
  await age(database.sql, 31 * DAY);
  const session = await call('POST', '/v1/principal-sessions', { principalId: 'user_1' });
  const seen = async () => {
    const headers = { authorization: `Bearer ${session.body.sessionToken}` };
    return (await service.request('GET', '/v1/principal/grants', { headers })).body.grants[0].lastUsedAt;
  };
  const before = await seen();
  expect(Date.parse(before)).toBeLessThan(Date.now() - 30 * DAY * 3_600_000);
  await remove();
  expect((await rows())['refresh']).toBe(0);
  expect(await seen()).toBe(before);
});

test('acknowledged anomalies go after RETENTION_DAYS, open ones do not, and each stays counted', async () => {
  await party.grant({ principalId: 'user_0' });
  const acknowledged = await anomalyOf(service, party);
  await call('PATCH', `/v1/anomalies/${acknowledged}/acknowledge`, {});
  await anomalyOf(service, party);
  const before = (await rows())['anomalies'] ?? 0;
  await age(database.sql, 31 * DAY);
  expect(await remove()).toMatchObject({ anomalies: 1 });
  expect((await rows())['anomalies']).toBe(before - 1);
  expect(await tallies()).toMatchObject({ 'anomalies new_principal': 1 });
  await expectReconciled(service);
});

test('audit entries go as a prefix of their chain, and what is left verifies from the kept hash', async () => {
  const other = await newParty(service);
  const { grantId } = await party.grant();
  const { grantId: grantOfOther } = await other.grant();
  const log = async (of: Party, grant: string, action: string) => {
    const body = { agentId: of.agentId, grantId: grant, action };
    const answer = await service.request('POST', '/v1/audit/log', { key: of.key, body });
    expect(answer.status).toBe(201);
    return answer.body;
  };
  for (const action of ['one', 'two']) await log(party, grantId, action);
  const lastOld = await log(party, grantId, 'three');
  await log(other, grantOfOther, 'one');
  await age(database.sql, 61 * DAY);
  await signHeads();
  // The hash covers the time, so these are not the chain's first entries as they were; only the recent ones are verified.
  await log(party, grantId, 'four');
  await log(party, grantId, 'five');

  expect(await remove()).not.toHaveProperty('audit_entries');
  expect(await remove({ AUDIT_RETENTION_DAYS: '60' })).toMatchObject({ audit_entries: 4 });
  const prefixes =
    await database.sql`select developer_id as id, hash, removed::int from audit_prefixes order by removed`;
  expect([...prefixes]).toEqual([
    { id: other.developerId, hash: expect.stringMatching(/^[0-9a-f]{64}$/), removed: 1 },
    { id: party.developerId, hash: lastOld.hash, removed: 3 },
  ]);
  await log(party, grantId, 'six');
  const { body } = await call('GET', '/v1/audit/entries');
  const chain: ChainEntry[] = body.entries.toReversed();
  expect(chain.map(({ action }) => action)).toEqual(['four', 'five', 'six']);
  expect(firstBrokenEntry(chain, lastOld.hash)).toBeNull();
  // Whoever removes one more by hand is found out.
  expect(firstBrokenEntry(chain.slice(1), lastOld.hash)).toBe(chain[1]?.entryId);
  // A chain of which nothing is left goes on where it was.
  const next = await log(other, grantOfOther, 'two');
  expect(next.prevHash).toBe(prefixes[0]?.['hash']);
});

test('a retention shorter than what the rules about behaviour look at waits for them', async () => {
  const { refreshToken } = await party.grant({ expiresIn: '1h' });
  await refresh(refreshToken);
  await age(database.sql, 5 * DAY);
  const env = { RETENTION_DAYS: '2', GRANT_RETENTION_DAYS: '2', ANOMALY_RATE_BASELINE_HOURS: '240' };
  expect(await remove(env)).toEqual({});
  await age(database.sql, 6 * DAY);
  expect(await remove(env)).toEqual({ authorization_requests: 1, tokens: 2, refresh_tokens: 2, grants: 1 });
});
