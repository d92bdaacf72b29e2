import type { TestService } from '../../support/service.ts';
import { ALL_EVENTS } from '../../webhooks/hooks.ts';

/** The result of the flow: names for ids, which tests use, and the secrets that must appear nowhere. */
export interface Flow {
  readonly ids: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
}

/** Runs the whole flow of a grant. Each step must succeed, except the two that are meant to fail. */
export async function runFlow(service: TestService, webhookUrl: string): Promise<Flow> {
  let key: string | undefined;
  const call = async (status: number, method: string, path: string, body?: unknown) => {
    const answer = await service.request(method, path, { key, body });
    if (answer.status !== status)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const developer = await call(201, 'POST', '/v1/signup', { name: 'Acme' });
  key = developer.apiKey;
  const agent = await call(201, 'POST', '/v1/agents', { name: 'Planner', scopes: ['calendar:read'] });
  const sub = await call(201, 'POST', '/v1/agents', { name: 'Reader', scopes: ['calendar:read'] });
  const hook = await call(201, 'POST', '/v1/webhooks', { url: webhookUrl, events: ALL_EVENTS });
  const { agentId } = agent;
  const asked = await call(201, 'POST', '/v1/authorize', {
    agentId,
    principalId: 'user_42',
    scopes: ['calendar:read'],
  });
  const { code } = await call(200, 'POST', `/v1/consent/${asked.authRequestId}/approve`);
  const pair = await call(201, 'POST', '/v1/token', { code, agentId });
  await call(200, 'POST', '/v1/tokens/verify', { token: pair.grantToken });
  const next = await call(201, 'POST', '/v1/token/refresh', { refreshToken: pair.refreshToken, agentId });
  const child = await call(201, 'POST', '/v1/grants/delegate', {
    parentGrantToken: next.grantToken,
    subAgentId: sub.agentId,
    scopes: ['calendar:read'],
  });
  await call(200, 'POST', '/v1/anomalies/detect');
  await call(204, 'DELETE', `/v1/grants/${pair.grantId}`);
  await call(200, 'POST', '/v1/tokens/verify', { token: child.grantToken });
  await call(400, 'POST', '/v1/token', { code: 'no-such-code', agentId });
  return {
    ids: {
      developer: developer.developerId,
      agent: agentId,
      'sub-agent': sub.agentId,
      grant: pair.grantId,
      'child grant': child.grantId,
      webhook: hook.id,
      request: asked.authRequestId,
    },
    secrets: [
      developer.apiKey,
      hook.secret,
      code,
      ...[pair, next, child].flatMap(({ grantToken, refreshToken }) => [grantToken, refreshToken]),
    ],
  };
}
