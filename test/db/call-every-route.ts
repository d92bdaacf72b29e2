import { untilAvailable } from '../support/child.ts';
import type { Party } from '../support/flow.ts';
import type { TestService } from '../support/service.ts';

/** Nothing goes anywhere, but every statement of a delivery runs. */
const HOOK = { url: 'https://hooks.invalid/', events: ['grant.created', 'grant.revoked', 'token.issued'] };

/** Calls every route whose statements are to be judged, against the filled tables. */
export async function callEveryRoute(service: TestService, party: Party): Promise<void> {
  const { key, agentId } = party;
  const call = async (status: number, method: string, path: string, body?: unknown, as = key) => {
    const answer = await untilAvailable(() => service.request(method, path, { key: as, body }));
    if (answer.status !== status)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const { anomalies } = await call(200, 'POST', '/v1/anomalies/detect');
  await call(200, 'PATCH', `/v1/anomalies/${anomalies[0].id}/acknowledge`);
  for (const unacknowledged of [true, false])
    await call(200, 'GET', `/v1/anomalies?unacknowledged=${unacknowledged}`);
  const { authRequestId } = await party.authorize();
  await call(200, 'GET', `/v1/consent/${authRequestId}`);
  await call(200, 'POST', `/v1/consent/${authRequestId}/deny`);
  const code = await party.consent();
  const pair = await party.exchange(code);
  const { jti } = JSON.parse(Buffer.from(pair.grantToken.split('.')[1] ?? '', 'base64url').toString());
  await party.delegate(pair.grantToken);
  await party.verify(pair.grantToken);
  await call(200, 'POST', '/v1/grants/verify', { token: pair.grantToken });
  await call(201, 'POST', '/v1/token/refresh', { refreshToken: pair.refreshToken, agentId });
  await call(200, 'GET', `/v1/revocations/status?grantId=${pair.grantId}`);
  await call(200, 'GET', `/v1/revocations/status?jti=${jti}`);
  for (const query of ['', '?since=0']) await call(200, 'GET', `/v1/revocations${query}`);
  await call(200, 'HEAD', '/v1/events/stream');
  for (const token of [pair.grantToken, pair.refreshToken])
    await call(200, 'POST', '/oauth/introspect', `token=${token}`);
  await call(200, 'POST', '/oauth/revoke', 'token=ref_unknown');
  await call(204, 'POST', '/v1/tokens/revoke', { jti });
  await call(400, 'POST', '/v1/token/refresh', { refreshToken: pair.refreshToken, agentId });
  await call(400, 'POST', '/v1/token', { code, agentId });
  await call(200, 'GET', `/v1/grants/${pair.grantId}`);
  await call(404, 'DELETE', `/v1/grants/${pair.grantId}`);
  for (const query of [
    '',
    `agentId=${agentId}`,
    'principalId=user_1',
    `agentId=${agentId}&principalId=user_1`,
  ])
    await call(200, 'GET', `/v1/grants?${query}`);
  for (const status of ['active', 'revoked', 'expired'])
    await call(200, 'GET', `/v1/grants?status=${status}&page=2`);
  const other = await party.newAgent();
  for (const query of ['', `agentId=${agentId}`, `grantId=${pair.grantId}`, 'principalId=user_1'])
    await call(200, 'GET', `/v1/audit/entries?${query}`);
  const { sessionToken } = await call(201, 'POST', '/v1/principal-sessions', { principalId: 'user_1' });
  const toRevoke = await party.grant();
  await call(200, 'GET', '/v1/principal/grants', undefined, sessionToken);
  await call(200, 'GET', '/v1/principal/audit', undefined, sessionToken);
  await call(204, 'DELETE', `/v1/principal/grants/${toRevoke.grantId}`, undefined, sessionToken);
  const policy = await call(201, 'POST', '/v1/policies', { name: 'P', effect: 'deny', agentId: other });
  await call(200, 'GET', '/v1/policies');
  await call(200, 'GET', `/v1/policies/${policy.id}`);
  await call(200, 'PATCH', `/v1/policies/${policy.id}`, { effect: 'allow', agentId: other });
  await call(204, 'DELETE', `/v1/policies/${policy.id}`);
  await call(200, 'GET', '/v1/agents');
  await call(200, 'GET', `/v1/agents/${other}`);
  await call(200, 'PATCH', `/v1/agents/${other}`, { name: 'B' });
  await party.grant({ agentId: other });
  await call(204, 'DELETE', `/v1/agents/${other}`);
  await call(201, 'POST', '/v1/webhooks', HOOK);
  const { body: hook } = await service.request('POST', '/v1/webhooks', { key, body: HOOK });
  await call(200, 'GET', '/v1/webhooks');
  await party.grant();
  await call(200, 'GET', `/v1/webhooks/${hook.id}`);
  await call(200, 'GET', `/v1/webhooks/${hook.id}/deliveries`);
  await call(200, 'GET', `/v1/webhooks/${hook.id}/deliveries?status=pending`);
  await call(200, 'POST', `/v1/webhooks/${hook.id}/rotate-secret`);
  await call(204, 'DELETE', `/v1/webhooks/${hook.id}`);
  const { apiKey } = await service.signup();
  for (const named of [{ principalId: 'p' }, { agentId }, { principalId: 'p', agentId }, { all: true }])
    await call(200, 'POST', '/v1/grants/revoke', { ...named, dryRun: true });
  await call(200, 'POST', '/v1/grants/revoke', { principalId: 'user_none', agentId });
  await call(200, 'GET', '/v1/keys', undefined, apiKey);
  const { id } = await call(201, 'POST', '/v1/keys', { name: 'CI' }, apiKey);
  await call(204, 'DELETE', `/v1/keys/${id}`, undefined, apiKey);
  await call(200, 'POST', '/v1/keys/rotate', undefined, apiKey);
}
