import { delegate, type IssuedTokens, refresh } from './agent-flow.ts';
import type { DemoContext } from './context.ts';
import { ALLOWED_PRINCIPAL, type Developer, FORBIDDEN_SCOPE } from './developers.ts';

/**
 * Requests that a short demo must not leave to chance. Each developer verifies, delegates and revokes a grant, so that
 * every receiver gets an event. A sandbox developer also uses one refresh token twice and denies a request. For a live
 * developer, a policy denies a request.
 */
export async function sendFirstRequests(context: DemoContext, developer: Developer): Promise<void> {
  const { caller } = context;
  const { key, mode } = developer;
  const agent = developer.agents[0] ?? developer.helper;
  const request = { agentId: agent.id, principalId: ALLOWED_PRINCIPAL, scopes: agent.scopes };
  const obtain = async (): Promise<IssuedTokens | undefined> => {
    const asked = await caller.post('authorize', '/v1/authorize', key, request);
    if (asked.body.code === undefined) return undefined;
    const exchange = { code: asked.body.code, agentId: agent.id };
    const { status, body } = await caller.post('exchange', '/v1/token', key, exchange);
    return status === 201 ? body : undefined;
  };
  const tokens = await obtain();
  if (tokens) {
    await caller.post('verify', '/v1/tokens/verify', key, { token: tokens.grantToken });
    await delegate(context, developer, agent.scopes, tokens);
    await caller.send('revoke', `/v1/grants/${tokens.grantId}`, { method: 'DELETE', key });
    await caller.post('verify', '/v1/tokens/verify', key, { token: tokens.grantToken });
  }
  if (mode === 'sandbox') {
    const other = await obtain();
    for (let use = 0; other && use < 2; use++) await refresh(context, developer, agent, other);
    const { status, body } = await caller.post('authorize', '/v1/authorize', key, request);
    if (status === 201) await caller.post('deny', `/v1/authorize/${body.authRequestId}/deny`, key);
    return;
  }
  const payer = developer.agents.find(({ scopes }) => scopes.includes(FORBIDDEN_SCOPE));
  if (payer)
    await caller.post('authorize', '/v1/authorize', key, {
      agentId: payer.id,
      principalId: ALLOWED_PRINCIPAL,
      scopes: payer.scopes,
    });
}
