import { type Developer, FORBIDDEN_SCOPE, REGULAR } from './cast.ts';
import type { Stage } from './stage.ts';
import { delegate } from './walk.ts';

/**
 * What a short demo must not leave to chance: of each developer a grant that is verified, delegated and revoked, so that every
 * receiver is told of something, and one request each that a policy and a principal deny.
 */
export async function opening(stage: Stage, developer: Developer): Promise<void> {
  const { caller } = stage;
  const { key, mode } = developer;
  const agent = developer.agents[0] ?? developer.helper;
  const request = { agentId: agent.id, principalId: REGULAR, scopes: agent.scopes };
  const asked = await caller.post('authorize', '/v1/authorize', key, request);
  if (asked.body.code !== undefined) {
    const exchange = { code: asked.body.code, agentId: agent.id };
    const { status, body } = await caller.post('exchange', '/v1/token', key, exchange);
    if (status === 201) {
      await caller.post('verify', '/v1/tokens/verify', key, { token: body.grantToken });
      await delegate(stage, developer, agent.scopes, body);
      await caller.send('revoke', `/v1/grants/${body.grantId}`, { method: 'DELETE', key });
      await caller.post('verify', '/v1/tokens/verify', key, { token: body.grantToken });
    }
  }
  if (mode === 'sandbox') {
    const { status, body } = await caller.post('authorize', '/v1/authorize', key, request);
    if (status === 201) await caller.post('deny', `/v1/authorize/${body.authRequestId}/deny`, key);
    return;
  }
  const payer = developer.agents.find(({ scopes }) => scopes.includes(FORBIDDEN_SCOPE));
  if (payer)
    await caller.post('authorize', '/v1/authorize', key, {
      agentId: payer.id,
      principalId: REGULAR,
      scopes: [FORBIDDEN_SCOPE],
    });
}
