import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

const LOCAL = '127.0.0.1';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService({ env: { TRUST_PROXY: '1' } });
  party = await newParty(service);
});
afterAll(() => service.stop());

const call = async (method: string, path: string, body?: unknown, key = party.key) => {
  const answer = await service.request(method, path, { key, body });
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
};
/** The latest line of an event, without what every line has. */
const lastLine = async (msg: string, field: string, value: unknown) => {
  const line = await waitFor(() => service.logs.findLast((one) => one.msg === msg && one[field] === value));
  const { timestamp, trace_id, span_id, trace_flags, requestId, ...rest } = line;
  expect(requestId).toEqual(expect.any(String));
  return rest;
};
const changesOf = async (object: string) => {
  const scrape = await service.scrape();
  const kinds = ['created', 'updated', 'deleted', 'rotated', 'suspended', 'resumed', 'revoked'];
  return Object.fromEntries(
    kinds.flatMap((change) => {
      const value = scrape.value('grantex_admin_changes_total', { object, change });
      return value === undefined ? [] : [[change, value]];
    }),
  );
};

test('sign-up and rotation name the developer and the address', async () => {
  const { developerId, apiKey } = await service.signup();
  expect(await lastLine('developer.signed_up', 'developerId', developerId)).toEqual({
    level: 'info',
    msg: 'developer.signed_up',
    developerId,
    ip: LOCAL,
  });
  const before = await changesOf('key');
  await call('POST', '/v1/keys/rotate', undefined, apiKey);
  expect(await lastLine('developer.key_rotated', 'developerId', developerId)).toEqual({
    level: 'info',
    msg: 'developer.key_rotated',
    developerId,
    ip: LOCAL,
  });
  expect(await changesOf('key')).toEqual({ ...before, rotated: (before['rotated'] ?? 0) + 1 });
  expect((await changesOf('developer'))['created']).toBeGreaterThanOrEqual(2);
});

test('agents: made, changed, suspended, resumed and deleted, with the names of members and no values', async () => {
  const before = await changesOf('agent');
  const { developerId } = party;
  const { agentId } = await call('POST', '/v1/agents', { name: 'Secretary' });
  const ids = { level: 'info', agentId, developerId };
  expect(await lastLine('agent.created', 'agentId', agentId)).toEqual({
    ...ids,
    msg: 'agent.created',
    changes: ['name', 'description', 'scopes', 'status'],
  });
  const path = `/v1/agents/${agentId}`;
  for (const [change, names] of [
    [{ name: 'Other', scopes: ['a'] }, ['name', 'scopes']],
    [{ status: 'suspended' }, ['status']],
    [{ status: 'active', description: null }, ['description', 'status']],
  ] as const) {
    await call('PATCH', path, change);
    const lines = await waitFor(() => {
      const all = service.logs.filter(({ msg, agentId: of }) => msg === 'agent.updated' && of === agentId);
      return all.some(({ changes }) => JSON.stringify(changes) === JSON.stringify(names)) ? all : undefined;
    });
    expect(lines.at(-1)).toMatchObject({ ...ids, msg: 'agent.updated', changes: names });
  }
  // A refused change is none.
  expect((await service.request('PATCH', path, { key: party.key, body: {} })).status).toBe(400);
  await call('DELETE', path);
  expect(await lastLine('agent.deleted', 'agentId', agentId)).toEqual({
    ...ids,
    msg: 'agent.deleted',
    changes: [],
  });
  expect(await changesOf('agent')).toEqual({
    created: (before['created'] ?? 0) + 1,
    updated: (before['updated'] ?? 0) + 1,
    deleted: (before['deleted'] ?? 0) + 1,
    suspended: (before['suspended'] ?? 0) + 1,
    resumed: (before['resumed'] ?? 0) + 1,
  });
});

test('policies, webhooks and sessions', async () => {
  const { developerId } = party;
  const policy = await call('POST', '/v1/policies', { name: 'No', effect: 'deny', principalId: 'nobody' });
  await call('PATCH', `/v1/policies/${policy.id}`, { priority: 2 });
  await call('DELETE', `/v1/policies/${policy.id}`);
  const hook = { url: 'https://hooks.example.com/in?token=secret-of-theirs', events: ['grant.created'] };
  const webhook = await call('POST', '/v1/webhooks', hook);
  await call('POST', `/v1/webhooks/${webhook.id}/rotate-secret`);
  await call('DELETE', `/v1/webhooks/${webhook.id}`);
  for (const [msg, id] of [
    ['policy.created', policy.id],
    ['policy.updated', policy.id],
    ['policy.deleted', policy.id],
    ['webhook.created', webhook.id],
    ['webhook.secret_rotated', webhook.id],
    ['webhook.deleted', webhook.id],
  ])
    expect(await lastLine(msg, 'id', id)).toEqual({ level: 'info', msg, id, developerId });
  const { expiresAt } = await call('POST', '/v1/principal-sessions', { principalId: 'user_lines' });
  expect(await lastLine('session.created', 'principalId', 'user_lines')).toEqual({
    level: 'info',
    msg: 'session.created',
    principalId: 'user_lines',
    developerId,
    expiresAt,
  });
  expect(await changesOf('policy')).toEqual({ created: 1, updated: 1, deleted: 1 });
  expect(await changesOf('webhook')).toEqual({ created: 1, deleted: 1, rotated: 1 });
  expect(await changesOf('session')).toEqual({ created: 1 });
  expect(service.stdout.join('\n')).not.toContain('secret-of-theirs');
});

test('decisions and revocations name the developer and the address', async () => {
  const { developerId, agentId } = party;
  const principalId = 'user_decides';
  const { authRequestId } = await party.authorize({ principalId });
  const approved = await service.request('POST', `/v1/consent/${authRequestId}/approve`, {
    headers: { 'x-forwarded-for': '192.0.2.77' },
  });
  expect(await lastLine('consent.decided', 'authRequestId', authRequestId)).toEqual({
    level: 'info',
    msg: 'consent.decided',
    decision: 'approved',
    authRequestId,
    agentId,
    principalId,
    developerId,
    ip: '192.0.2.77',
  });
  const pair = await party.exchange(approved.body.code);
  const tokenId = JSON.parse(Buffer.from(pair.grantToken.split('.')[1] ?? '', 'base64url').toString()).jti;
  await call('POST', '/v1/tokens/revoke', { jti: tokenId });
  expect(await lastLine('token.revoked', 'tokenId', tokenId)).toEqual({
    level: 'info',
    msg: 'token.revoked',
    tokenId,
    grantId: pair.grantId,
    agentId,
    developerId,
    ip: LOCAL,
  });
  await call('DELETE', `/v1/grants/${pair.grantId}`);
  expect(await lastLine('grant.revoked', 'grantId', pair.grantId)).toEqual({
    level: 'info',
    msg: 'grant.revoked',
    grantId: pair.grantId,
    developerId,
    revokedBy: 'developer',
    cascadeCount: 0,
    ip: LOCAL,
  });
});

test('auth.forbidden says who may not do what, and where', async () => {
  const refused = async (method: string, path: string, body?: unknown) =>
    (await service.request(method, path, { key: party.key, body })).status;
  const { authRequestId } = await party.authorize();
  const other = await (await newParty(service)).grant();
  const child = { parentGrantToken: other.grantToken, subAgentId: party.agentId, scopes: ['calendar:read'] };
  expect(await refused('POST', `/v1/authorize/${authRequestId}/approve`)).toBe(403);
  expect(await refused('POST', '/v1/grants/delegate', child)).toBe(403);
  const lines = await service.logged('auth.forbidden', 2);
  expect(
    lines.map(({ level, developerId, route, reason }) => ({ level, developerId, route, reason })),
  ).toEqual(
    [
      ['/v1/authorize/:id/approve', 'consent_required'],
      ['/v1/grants/delegate', 'forbidden'],
    ].map(([route, reason]) => ({ level: 'warn', developerId: party.developerId, route, reason })),
  );
});

test('the first signing key is announced by one line', async () => {
  const lines = await service.logged('signing_key.created');
  const jwks = await service.request('GET', '/.well-known/jwks.json');
  expect(lines.map(({ level, kid }) => [level, kid])).toEqual([['warn', jwks.body.keys[0].kid]]);
  expect(await changesOf('signing_key')).toEqual({ created: 1, rotated: 0, revoked: 0 });
});
