import { afterAll, beforeAll, expect, test } from 'vitest';
import { compareFeed } from '../../src/reconciliation/feed-store.ts';
import type { Reconciliation } from '../../src/reconciliation/reconcile.ts';
import { copies, whileJobWaits, worked } from '../grants/stopped.ts';
import { bearer, post } from '../oauth/client.ts';
import { npmRun } from '../support/command.ts';
import { newParty, type Party } from '../support/flow.ts';
import { queryableOf } from '../support/reconcile.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

let first: TestService;
let second: TestService;
beforeAll(async () => {
  first = await startService();
  second = await startService({ database: first.database });
});
afterAll(async () => {
  await second.stop();
  await first.stop();
});

const reconcile = (...args: string[]) =>
  npmRun('reconcile', ['--scrape', `${first.url}/metrics,${second.url}/metrics`, ...args], {
    DATABASE_URL: first.database.url,
  });
const NONE = { rows: 0, told: 0, waiting: 0, missing: 0, surplus: 0, rowless: 0 };
/** By the last word of their names. */
async function compared() {
  const [grants, tokens, suspended] = await compareFeed(queryableOf(first.database));
  return { grants, tokens, suspended };
}
const line = (what: string, values: Partial<typeof NONE>) => ({ what, ...NONE, ...values });
const settled = () =>
  waitFor(async () => {
    const all = await compareFeed(queryableOf(first.database));
    return all.every(({ waiting }) => waiting === 0) || undefined;
  });

/** Each way in which a grant or a token falls, or is suspended, through both replicas. @returns the id of a revoked grant */
async function fallInEveryWay(party: Party): Promise<string> {
  const { key, agentId } = party;
  const ask = async (service: TestService, status: number, method: string, path: string, body?: unknown) => {
    const answer = await service.request(method, path, { key, body });
    expect([path, answer.status]).toEqual([path, status]);
    return answer.body;
  };
  await party.grant();
  const { grantId: single } = await party.grant();
  await ask(first, 204, 'DELETE', `/v1/grants/${single}`);

  const cascade = await party.grant();
  await party.delegate(cascade.grantToken);
  await ask(second, 204, 'DELETE', `/v1/grants/${cascade.grantId}`);

  const doomed = await party.newAgent();
  const going = await party.grant({ agentId: doomed });
  await party.delegate(going.grantToken, { subAgentId: doomed });
  await ask(first, 204, 'DELETE', `/v1/agents/${doomed}`);

  for (const _ of [1, 2]) await party.grant({ principalId: 'mallory' });
  await ask(second, 200, 'POST', '/v1/grants/revoke', { principalId: 'mallory' });

  const reused = await party.grant();
  const refresh = (status: number, service: TestService, refreshToken: string) =>
    ask(service, status, 'POST', '/v1/token/refresh', { refreshToken, agentId });
  const { refreshToken } = await refresh(201, first, reused.refreshToken);
  await refresh(201, second, refreshToken);
  await refresh(400, first, reused.refreshToken);

  const code = await party.consent();
  await party.exchange(code);
  await ask(second, 400, 'POST', '/v1/token', { code, agentId });

  const { grantToken: token } = await party.grant();
  expect((await post(first, '/oauth/revoke', { token }, bearer(party))).status).toBe(200);

  const paused = await party.newAgent();
  await party.grant({ agentId: paused });
  await ask(second, 200, 'PATCH', `/v1/agents/${paused}`, { status: 'suspended' });
  const resumed = await party.newAgent();
  await party.grant({ agentId: resumed });
  await ask(first, 200, 'PATCH', `/v1/agents/${resumed}`, { status: 'suspended' });
  await ask(second, 200, 'PATCH', `/v1/agents/${resumed}`, { status: 'active' });
  return single;
}

test('the feed tells of exactly what has fallen on two replicas, and a lost entry is a difference', {
  timeout: 3 * MINUTE,
}, async () => {
  const { sql } = first.database;
  const single = await fallInEveryWay(await newParty(first));
  await worked(sql);
  const equal = await reconcile('--json');
  expect([equal.code, equal.stderr]).toEqual([0, '']);
  const { feed } = JSON.parse(equal.stdout) as Reconciliation;
  expect(feed.filter(({ what }) => what.startsWith('feed'))).toEqual([
    // One alone, two by a cascade, two by a stop, a reused refresh token, a replayed code; two went with their agent.
    line('feed, revoked grants', { rows: 7, told: 7, rowless: 2 }),
    line('feed, revoked tokens', { rows: 1, told: 1 }),
    line('feed, suspended grants', { rows: 1, told: 1 }),
  ]);

  const [entry] = await sql`delete from revocation_entries where grant_id = ${single} returning *`;
  const lost = await reconcile();
  expect(lost.code).toBe(1);
  expect(lost.stdout).toMatch(
    /^\| feed, revoked grants +\| 6 +\| 7 +\| 2 +\| differs: 1 without an entry \|$/m,
  );
  expect(lost.stdout).toMatch(/^differs: feed, revoked grants$/m);
  await sql`insert into revocation_entries ${sql({ ...entry })}`;

  // Entries that nobody made, of a grant and a token that live.
  await sql`insert into revocation_entries (seq, developer_id, action, grant_id, jti, expires_at, at, written_at)
    select -1, developer_id, 'revoked', id, null, expires_at, now(), now() from grants where status = 'active' limit 1`;
  await sql`insert into revocation_entries (seq, developer_id, action, grant_id, jti, expires_at, at, written_at)
    select -2, ${entry?.['developer_id']}, 'token_revoked', grant_id, jti, expires_at, now(), now()
    from tokens where revoked_at is null limit 1`;
  const invented = await reconcile();
  expect(invented.code).toBe(1);
  expect(invented.stdout).toMatch(
    /\| feed, revoked grants +\| 8 +\| 7 +\| 2 +\| differs: 1 told of in error \|/,
  );
  expect(invented.stdout).toMatch(/^differs: feed, revoked grants; feed, revoked tokens$/m);
  await sql`delete from revocation_entries where seq < 0`;
  expect((await reconcile()).stdout).toMatch(/^equal$/m);
});

test('what is revoked without an entry is missing, and so is a suspension', async () => {
  const { sql } = first.database;
  const party = await newParty(first);
  const { grantId } = await party.grant();
  const agentId = await party.newAgent();
  await party.grant({ agentId });
  await settled();
  const before = await compared();
  await sql`alter table grants disable trigger tell_grant_revoked`;
  await sql`alter table agents disable trigger tell_agent_changed`;
  await sql`update grants set status = 'revoked', revoked_at = now() where id = ${grantId}`;
  await sql`update agents set status = 'suspended' where id = ${agentId}`;
  await sql`alter table grants enable trigger tell_grant_revoked`;
  await sql`alter table agents enable trigger tell_agent_changed`;
  const { grants, suspended, tokens } = await compared();
  expect(grants).toEqual({ ...before.grants, rows: (before.grants?.rows ?? 0) + 1, missing: 1 });
  expect(suspended).toEqual({ ...before.suspended, rows: (before.suspended?.rows ?? 0) + 1, missing: 1 });
  expect(tokens).toEqual(before.tokens);
  await sql`delete from grants where id = ${grantId}`;
  await sql`update agents set status = 'active' where id = ${agentId}`;
  await settled();
});

test('what has no number yet, and what a removal or a suspension has not come to, is told apart', {
  timeout: MINUTE,
}, async () => {
  const { sql } = first.database;
  const party = await newParty(first);
  const { key } = party;
  const [grant, kept] = [await party.grant({ principalId: 'many' }), await party.grant()];
  await copies(sql, grant.grantId, 299);
  await settled();
  const before = await compared();
  const rows = before.grants?.rows ?? 0;
  const stop = await whileJobWaits(sql, async () => {
    const body = { principalId: 'many' };
    const stopped = await first.request('POST', '/v1/grants/revoke', { key, body });
    expect((await compared()).grants).toEqual({ ...before.grants, rows: rows + 300, waiting: 300 });
    return stopped;
  });
  expect(stop.body).toEqual({ revoked: 300, dryRun: false });
  await worked(sql);
  await settled();
  const after = { ...before.grants, rows: rows + 300, told: rows + 300 };
  expect((await compared()).grants).toEqual(after);

  const numbering = await sql.reserve();
  await numbering`begin`;
  await numbering`select from feed_positions for update`;
  expect((await first.request('DELETE', `/v1/grants/${kept.grantId}`, { key })).status).toBe(204);
  expect((await compared()).grants).toEqual({ ...after, rows: rows + 301, waiting: 1 });
  const suspend = (status: string) =>
    second.request('PATCH', `/v1/agents/${party.agentId}`, { key, body: { status } });
  await party.grant();
  const suspensions = before.suspended?.rows ?? 0;
  await suspend('suspended');
  expect((await compared()).suspended).toEqual({ ...before.suspended, rows: suspensions + 1, waiting: 1 });
  await numbering`rollback`;
  numbering.release();
  await settled();
  expect((await compared()).grants).toEqual({ ...after, rows: rows + 301, told: rows + 301 });
  expect((await compared()).suspended).toEqual({
    ...before.suspended,
    rows: suspensions + 1,
    told: suspensions + 1,
  });
});

test('what retention has removed has entries without rows, and what has expired is not compared', async () => {
  const { sql } = first.database;
  const party = await newParty(first);
  const [removed, expired] = [await party.grant(), await party.grant()];
  await settled();
  const before = await compared();
  for (const { grantId } of [removed, expired])
    await first.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
  await settled();
  await sql`delete from grants where id = ${removed.grantId}`;
  const ago = new Date(Date.now() - DAY);
  await sql`update grants set expires_at = ${ago} where id = ${expired.grantId}`;
  await sql`update revocation_entries set expires_at = ${ago} where grant_id = ${expired.grantId}`;
  expect((await compared()).grants).toEqual({ ...before.grants, rowless: (before.grants?.rowless ?? 0) + 1 });
});
