import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { crowd } from '../races/replicas.ts';
import { newParty, type Party, type TokenPair } from '../support/flow.ts';
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

const exchange = (body: unknown, key = party.key) => service.request('POST', '/v1/token', { key, body });
const rows = async () => {
  const [row] = await service.database.sql`
    select count(*)::int as created, (count(*) filter (where status = 'revoked'))::int as revoked from grants
    where developer_id = ${party.developerId}`;
  return row;
};
const counters = async () => {
  const scrape = await service.scrape();
  const of = (name: string, labels = {}) => scrape.value(name, labels) ?? Number.NaN;
  return {
    success: of('grantex_token_exchange_total', { status: 'success' }),
    error: of('grantex_token_exchange_total', { status: 'error' }),
    timed: of('grantex_token_exchange_duration_seconds_count'),
    created: of('grantex_grants_created_total', { origin: 'consent' }),
    revoked: of('grantex_grants_revoked_total'),
  };
};
const verifier = 'v'.repeat(43);
const pkce = {
  codeChallenge: createHash('sha256').update(verifier).digest('base64url'),
  codeChallengeMethod: 'S256',
};

test('201: the grant lives as long as was asked, in whole seconds, and code and refresh token are stored as hashes', async () => {
  const code = await party.consent({ expiresIn: '1h' });
  const { status, body } = await exchange({ code, agentId: party.agentId });
  expect(status).toBe(201);
  const { exp } = decodeJwt(body.grantToken);
  // `iat` is the time of the signature, which may be in the next second.
  const [grant] = await service.database.sql`
    select extract(epoch from expires_at - date_trunc('second', issued_at))::int as lives from grants where id = ${body.grantId}`;
  expect(grant).toEqual({ lives: 3600 });
  expect(Date.parse(body.expiresAt)).toBe(Number(exp) * 1000);
  const hash = (text: string) => createHash('sha256').update(text).digest();
  const [request] = await service.database
    .sql`select grant_id from authorization_requests where code_hash = ${hash(code)}`;
  expect(request).toEqual({ grant_id: body.grantId });
  const [refresh] = await service.database
    .sql`select grant_id, used_at from refresh_tokens where hash = ${hash(body.refreshToken)}`;
  expect(refresh).toEqual({ grant_id: body.grantId, used_at: null });
});

test('one success and each refusal but 401 is counted and timed once', async () => {
  const code = await party.consent();
  const { agentId } = party;
  const before = await counters();
  const answers = [
    await exchange({ code, agentId }),
    await exchange({ code: 'unknown', agentId }),
    await exchange({ agentId }),
    await exchange('{"code":'),
    await exchange({ code, agentId }, 'gx_live_nobody_has_this_key'),
    await exchange({}, 'gx_live_nobody_has_this_key'),
  ];
  expect(answers.map(({ status }) => status)).toEqual([201, 400, 400, 400, 401, 401]);
  expect(await counters()).toEqual({
    ...before,
    success: before.success + 1,
    error: before.error + 3,
    timed: before.timed + 4,
    created: before.created + 1,
  });
});

test('a failed exchange is counted for its agent, and for "other" when the agent is not known', async () => {
  const errors = async () => {
    const scrape = await service.scrape();
    return [party.agentId, 'other'].map(
      (agent_id) => scrape.value('grantex_agent_token_exchange_total', { status: 'error', agent_id }) ?? 0,
    );
  };
  const [, other = Number.NaN] = await errors();
  for (const agentId of [party.agentId, party.agentId, 'ag_unknown'])
    expect((await exchange({ code: 'unknown', agentId })).status).toBe(400);
  expect(await errors()).toEqual([2, other + 1]);
});

test('the line of a consented grant says in milliseconds how long the exchange took', async () => {
  const HELD_MS = 300;
  const code = await party.consent();
  // The new grant refers to this row, so its insertion waits for the lock.
  const { exchanged } = await service.database.sql.begin(async (tx) => {
    await tx`select from agents where id = ${party.agentId} for update`;
    const begun = performance.now();
    const exchanged = party
      .exchange(code)
      .then(({ grantId }) => ({ grantId, tookMs: performance.now() - begun }));
    await waitFor(async () => {
      const [row] = await service.database.sql`select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      return row?.['waiting'] > 0 || undefined;
    });
    await tx`select pg_sleep(${HELD_MS / 1000})`;
    return { exchanged };
  });
  const { grantId, tookMs } = await exchanged;
  const line = await waitFor(() =>
    service.logs.find((one) => one.msg === 'grant.created' && one['grantId'] === grantId),
  );
  expect(line['latencyMs']).toBeGreaterThanOrEqual(HELD_MS);
  expect(line['latencyMs']).toBeLessThanOrEqual(Math.ceil(tookMs));
});

test('each refusal of a code reads the same', async () => {
  const { agentId } = party;
  const used = await party.consent();
  await party.exchange(used);
  const stranger = await newParty(service);
  const answers = [
    await exchange({ code: 'unknown', agentId }),
    await exchange({ code: used, agentId }),
    await exchange({ code: await party.consent(pkce), agentId }),
    await exchange({ code: await party.consent(), agentId: 'ag_unknown' }),
    await exchange({ code: await stranger.consent(), agentId }),
  ];
  expect(answers.map(({ status, body }) => [status, body.code])).toEqual(
    answers.map(() => [400, 'BAD_REQUEST']),
  );
  expect(new Set(answers.map(({ body }) => body.message)).size).toBe(1);
});

test('a refused attempt does not use the code up', async () => {
  const stranger = await newParty(service);
  const code = await party.consent(pkce);
  const { agentId } = party;
  for (const [body, key] of [
    [{ code, agentId }, party.key],
    [{ code, agentId, codeVerifier: 'w'.repeat(43) }, party.key],
    [{ code, agentId: await party.newAgent(), codeVerifier: verifier }, party.key],
    [{ code, agentId: stranger.agentId, codeVerifier: verifier }, stranger.key],
  ] as const)
    expect((await exchange(body, key)).status).toBe(400);
  expect((await exchange({ code, agentId, codeVerifier: verifier })).status).toBe(201);
});

test('a replay, even with a wrong agent or without its verifier, revokes the whole tree and is logged once', async () => {
  const code = await party.consent(pkce);
  const { agentId } = party;
  const root: TokenPair = (await exchange({ code, agentId, codeVerifier: verifier })).body;
  const branches = [await party.delegate(root.grantToken), await party.delegate(root.grantToken)];
  const leaf = await party.delegate(branches[0]?.grantToken ?? '');
  const before = await counters();
  expect((await exchange({ code, agentId: await party.newAgent() })).status).toBe(400);
  for (const { grantToken } of [root, ...branches, leaf]) expect(await party.verify(grantToken)).toBe(false);
  expect(await rows()).toEqual({ created: 4, revoked: 4 });
  const refresh = { refreshToken: leaf.refreshToken, agentId };
  const refreshed = await service.request('POST', '/v1/token/refresh', { key: party.key, body: refresh });
  expect(refreshed.status).toBe(400);
  // The second replay finds nothing left to revoke.
  expect((await exchange({ code, agentId, codeVerifier: verifier })).status).toBe(400);
  expect((await counters()).revoked).toBe(before.revoked + 4);
  const lines = (await service.logged('grant.revoked')).filter(({ grantId }) => grantId === root.grantId);
  expect(lines).toEqual([expect.objectContaining({ revokedBy: 'code_replay', cascadeCount: 3 })]);
});

test('50 callers with one code, at the same moment: the counters equal the rows', async () => {
  const code = await party.consent();
  const before = await counters();
  const { answers, repetitions } = await crowd([service], 50, () =>
    exchange({ code, agentId: party.agentId }),
  );
  const won = answers.filter(({ status }) => status === 201).length;
  const after = await counters();
  expect(won).toBe(1);
  expect(after.timed - before.timed).toBe(50 + repetitions);
  expect([after.success - before.success, after.error - before.error]).toEqual([1, 49 + repetitions]);
  expect(await rows()).toEqual({
    created: after.created - before.created,
    revoked: after.revoked - before.revoked,
  });
  expect(await rows()).toEqual({ created: 1, revoked: 1 });
});

test('50 callers with a code each: 50 grants, and none of them revoked', async () => {
  const codes = await Promise.all(Array.from({ length: 50 }, () => party.consent()));
  const before = await counters();
  const answers = await Promise.all(codes.map((code) => exchange({ code, agentId: party.agentId })));
  expect(answers.map(({ status }) => status)).toEqual(codes.map(() => 201));
  expect(new Set(answers.map(({ body }) => body.grantId)).size).toBe(50);
  expect(await rows()).toEqual({ created: 50, revoked: 0 });
  expect((await counters()).created).toBe(before.created + 50);
});
