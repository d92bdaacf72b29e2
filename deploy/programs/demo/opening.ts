import { type Developer, FORBIDDEN_SCOPE, REGULAR } from './cast.ts';
import type { Stage } from './stage.ts';
import { delegate, type Pair, refresh } from './walk.ts';

/**
 * What a short demo must not leave to chance: of each developer a grant that is verified, delegated and revoked, so that every
 * receiver is told of something, and one request each that a policy and a principal deny; of the sandbox also a refresh token
 * that is used twice.
 */
export async function opening(stage: Stage, developer: Developer): Promise<void> {
  const { caller } = stage;
  const { key, mode } = developer;
  const agent = developer.agents[0] ?? developer.helper;
  const request = { agentId: agent.id, principalId: REGULAR, scopes: agent.scopes };
  const obtain = async (): Promise<Pair | undefined> => {
    const asked = await caller.post('authorize', '/v1/authorize', key, request);
    if (asked.body.code === undefined) return undefined;
    const exchange = { code: asked.body.code, agentId: agent.id };
    const { status, body } = await caller.post('exchange', '/v1/token', key, exchange);
    return status === 201 ? body : undefined;
  };
  const pair = await obtain();
  if (pair) {
    await caller.post('verify', '/v1/tokens/verify', key, { token: pair.grantToken });
    await delegate(stage, developer, agent.scopes, pair);
    await caller.send('revoke', `/v1/grants/${pair.grantId}`, { method: 'DELETE', key });
    await caller.post('verify', '/v1/tokens/verify', key, { token: pair.grantToken });
  }
  if (mode === 'sandbox') {
    const other = await obtain();
    for (let use = 0; other && use < 2; use++) await refresh(stage, developer, agent, other);
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
