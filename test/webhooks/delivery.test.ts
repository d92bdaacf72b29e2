import { expect, test } from 'vitest';
import { deliveriesOnce, ended, HOOK_ENV, hook } from './hooks.ts';
import { answer, startReceiver } from './receiver.ts';
import { party, receiver, service, withReceiver } from './with-receiver.ts';

withReceiver({ ...HOOK_ENV, WEBHOOK_MAX_ATTEMPTS: '3' });

test('each event, once, with the body of the contract and the three ids that belong together', async () => {
  const registered = await hook(service, party, receiver.url);
  const before = Date.now();
  const pair = await party.grant({ scopes: ['calendar:read', 'mail:send'], expiresIn: '2h' });
  const [created, issued] = (await receiver.until(2)).sort((a, b) => (a.body.type < b.body.type ? -1 : 1));
  const { agentId } = party;
  const grant = {
    grantId: pair.grantId,
    agentId,
    principalId: 'user_1',
    scopes: ['calendar:read', 'mail:send'],
    expiresAt: pair.expiresAt,
  };
  const jti = JSON.parse(Buffer.from(pair.grantToken.split('.')[1] ?? '', 'base64url').toString()).jti;
  expect(created?.body).toEqual({
    id: expect.stringMatching(/^evt_[0-9A-HJKMNP-TV-Z]{26}$/),
    type: 'grant.created',
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    data: { ...grant, delegationDepth: 0 },
  });
  expect(issued?.body).toEqual({
    id: expect.stringMatching(/^evt_[0-9A-HJKMNP-TV-Z]{26}$/),
    type: 'token.issued',
    createdAt: created?.body.createdAt,
    data: { tokenId: jti, ...grant },
  });
  expect(created?.body.id).not.toBe(issued?.body.id);
  expect(Date.parse(created?.body.createdAt)).toBeGreaterThanOrEqual(before);
  expect(Object.keys(created?.body)).toEqual(['id', 'type', 'createdAt', 'data']);
  expect(created).toMatchObject({ method: 'POST', path: '/hook' });
  expect(created?.headers).toMatchObject({
    'content-type': 'application/json',
    'webhook-id': created?.body.id,
    'webhook-timestamp': created?.headers['x-grantex-timestamp'],
  });

  const [row] = await deliveriesOnce(
    service,
    party,
    registered,
    (one) => one.eventType === 'grant.created' && ended(one),
  );
  expect(row).toEqual({
    id: expect.stringMatching(/^whd_[0-9A-HJKMNP-TV-Z]{26}$/),
    webhookId: registered.id,
    eventId: created?.body.id,
    eventType: 'grant.created',
    status: 'delivered',
    attempts: 1,
    maxAttempts: 3,
    url: receiver.url,
    lastError: null,
    createdAt: created?.body.createdAt,
    deliveredAt: expect.stringMatching(/Z$/),
  });
  expect(receiver.received).toHaveLength(2);
});

test('refresh, delegation and revocation with its cascade; only what was asked for', async () => {
  await hook(service, party, receiver.url, ['grant.created', 'grant.revoked']);
  const tokens = await startReceiver();
  await hook(service, party, tokens.url, ['token.issued']);
  const { key, agentId } = party;
  const pair = await party.grant();
  const refreshed = await service.request('POST', '/v1/token/refresh', {
    key,
    body: { refreshToken: pair.refreshToken, agentId },
  });
  const child = await party.delegate(refreshed.body.grantToken, { expiresIn: '30m' });
  const lone = await party.grant();
  expect((await service.request('DELETE', `/v1/grants/${pair.grantId}`, { key })).status).toBe(204);
  expect((await service.request('DELETE', `/v1/grants/${lone.grantId}`, { key })).status).toBe(204);

  const issued = (await tokens.until(4)).map(({ body }) => body);
  expect(issued.map(({ data }) => data.grantId).sort()).toEqual(
    [pair.grantId, pair.grantId, child.grantId, lone.grantId].sort(),
  );
  const told = (await receiver.until(6)).map(({ body }) => body);
  expect(new Set(told.map(({ type }) => type))).toEqual(new Set(['grant.created', 'grant.revoked']));
  const created = told.filter(({ type }) => type === 'grant.created').map(({ data }) => data);
  expect(created).toContainEqual({
    grantId: child.grantId,
    agentId,
    principalId: 'user_1',
    scopes: ['calendar:read'],
    expiresAt: child.expiresAt,
    delegationDepth: 1,
    parentGrantId: pair.grantId,
  });
  const revoked = told.filter(({ type }) => type === 'grant.revoked').map(({ data }) => data);
  expect(revoked.sort((a, b) => (a.grantId < b.grantId ? -1 : 1))).toEqual(
    [
      { grantId: pair.grantId, cascade: true },
      { grantId: child.grantId, cascade: true },
      { grantId: lone.grantId, cascade: false },
    ].sort((a, b) => (a.grantId < b.grantId ? -1 : 1)),
  );
  await tokens.close();
});

test('every way to revoke tells: a replayed code, a reused refresh token, a removed agent', async () => {
  await hook(service, party, receiver.url, ['grant.revoked']);
  const { key } = party;
  const code = await party.consent();
  const replayed = await party.exchange(code);
  await service.request('POST', '/v1/token', { key, body: { code, agentId: party.agentId } });
  const reused = await party.grant();
  for (const _ of [1, 2])
    await service.request('POST', '/v1/token/refresh', {
      key,
      body: { refreshToken: reused.refreshToken, agentId: party.agentId },
    });
  const removed = await party.newAgent();
  const gone = await party.grant({ agentId: removed });
  await service.request('DELETE', `/v1/agents/${removed}`, { key });
  const told = (await receiver.until(3)).map(({ body }) => body.data.grantId);
  expect(told.sort()).toEqual([replayed.grantId, reused.grantId, gone.grantId].sort());
});

test('a removed webhook hears no more, also not of what was waiting', async () => {
  receiver.behave(answer(500));
  const registered = await hook(service, party, receiver.url, ['grant.created']);
  await party.grant();
  await receiver.until(1);
  await deliveriesOnce(service, party, registered, ({ attempts }) => attempts === 1);
  const { status } = await service.request('DELETE', `/v1/webhooks/${registered.id}`, { key: party.key });
  expect(status).toBe(204);
  // The next look at the queue comes upon its job, which is then gone without an attempt.
  const other = await startReceiver();
  await hook(service, party, other.url, ['grant.created']);
  await party.grant();
  await other.until(1);
  expect(receiver.received).toHaveLength(1);
  await other.close();
});
