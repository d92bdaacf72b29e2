import { createHash, randomBytes } from 'node:crypto';
import type { DemoContext } from './context.ts';
import type { Agent, Developer } from './developers.ts';
import { ALLOWED_PRINCIPAL, FORBIDDEN_SCOPE } from './developers.ts';
import { pause } from './pacing.ts';
import { pickOne, withProbability } from './random.ts';

export interface IssuedTokens {
  readonly grantToken: string;
  readonly refreshToken: string;
  readonly grantId: string;
}

const MAX_PAUSE_MS = 250;
const randomPause = ({ signal }: DemoContext) => pause(Math.random() * MAX_PAUSE_MS, signal);

/** One agent's flow with one principal: request, decision, use of the token, and perhaps revocation. */
export async function runAgentFlow(context: DemoContext): Promise<void> {
  const developer = pickOne(context.developers);
  const agent = pickOne(developer.agents);
  if (withProbability(0.03)) return void (await pickOne(CLIENT_MISTAKES)(context, developer, agent));
  const tokens = await obtainGrant(context, developer, agent, pickOne(developer.principals));
  if (tokens) await useGrant(context, developer, agent, tokens);
}

/** Authorize → decision → exchange. @returns undefined when the request was denied or failed */
async function obtainGrant(
  context: DemoContext,
  developer: Developer,
  agent: Agent,
  principal: string,
): Promise<IssuedTokens | undefined> {
  const { caller } = context;
  const { key, mode } = developer;
  const forbidden = withProbability(0.3);
  const harmless = agent.scopes.filter((scope) => scope !== FORBIDDEN_SCOPE);
  // Decisions of persons stay within the limit of one address. For the other requests, a policy decides.
  const byPerson = mode === 'live' && context.pageLimiter.tryTake(3);
  const verifier = withProbability(0.5) ? randomBytes(32).toString('base64url') : undefined;
  // Some grants expire during the demo.
  const shortLived = withProbability(0.1);
  const asked = await caller.post('authorize', '/v1/authorize', key, {
    agentId: agent.id,
    principalId: mode === 'live' && !byPerson ? ALLOWED_PRINCIPAL : principal,
    scopes: mode === 'live' && !forbidden ? harmless : agent.scopes,
    expiresIn: shortLived ? `${SHORT_LIFE_SECONDS}s` : '8h',
    ...(verifier && { codeChallenge: sha256(verifier), codeChallengeMethod: 'S256' }),
  });
  if (asked.status !== 201) return undefined;
  await randomPause(context);
  const code =
    asked.body.code && withProbability(0.6)
      ? asked.body.code
      : await decideRequest(context, developer, asked.body);
  if (code === undefined) return undefined;
  const exchange = { code, agentId: agent.id, ...(verifier && { codeVerifier: verifier }) };
  const exchanged = await caller.post('exchange', '/v1/token', key, exchange);
  if (exchanged.status !== 201) return undefined;
  if (shortLived) context.shortGrantsEndAt = performance.now() + SHORT_LIFE_SECONDS * 1000;
  return exchanged.body;
}
const SHORT_LIFE_SECONDS = 5;

async function decideRequest(
  { caller }: DemoContext,
  { key, mode }: Developer,
  { authRequestId, code }: { authRequestId: string; code?: string },
): Promise<string | undefined> {
  const approves = withProbability(0.88);
  if (mode === 'sandbox') {
    const path = `/v1/authorize/${authRequestId}/${approves ? 'approve' : 'deny'}`;
    return (await caller.post(approves ? 'approve' : 'deny', path, key)).body.code;
  }
  if (code !== undefined) return code;
  await caller.send('consent page', `/consent?req=${authRequestId}`);
  await caller.send('consent page', `/v1/consent/${authRequestId}`);
  const path = `/v1/consent/${authRequestId}/${approves ? 'approve' : 'deny'}`;
  return (await caller.post(approves ? 'approve' : 'deny', path, undefined)).body.code;
}

/** Uses a token: verifies it often, refreshes it, delegates it, records actions, and sometimes revokes it. */
async function useGrant(
  context: DemoContext,
  developer: Developer,
  agent: Agent,
  tokens: IssuedTokens,
): Promise<void> {
  const { caller, signal } = context;
  const { key } = developer;
  let current = tokens;
  for (let round = 0; round < 3 && !signal.aborted; round++) {
    await caller.post('verify', '/v1/tokens/verify', key, { token: current.grantToken });
    if (withProbability(0.4))
      await caller.post('audit entry', '/v1/audit/log', key, {
        agentId: agent.id,
        grantId: tokens.grantId,
        action: 'calendar.read',
        status: withProbability(0.96) ? 'success' : 'blocked',
      });
    await randomPause(context);
    if (withProbability(0.35)) current = (await refresh(context, developer, agent, current)) ?? current;
  }
  if (signal.aborted) return;
  if (withProbability(0.25)) await delegate(context, developer, agent.scopes, current);
  if (withProbability(0.04))
    await caller.post('verify', '/v1/tokens/verify', key, { token: `${current.grantToken}x` });
  if (withProbability(0.05))
    await caller.send('look', `/v1/revocations/status?grantId=${tokens.grantId}`, { key });
  const end = Math.random();
  if (end < 0.15) await caller.send('revoke', `/v1/grants/${tokens.grantId}`, { method: 'DELETE', key });
  else if (end < 0.2) await revokeAsPrincipal(context, developer, tokens);
  else if (end < 0.25)
    await caller.post('revoke token', '/v1/tokens/revoke', key, { jti: tokenIdOf(current.grantToken) });
}

export async function refresh(
  { caller }: DemoContext,
  { key }: Developer,
  agent: Agent,
  { refreshToken }: IssuedTokens,
): Promise<IssuedTokens | undefined> {
  const { status, body } = await caller.post('refresh', '/v1/token/refresh', key, {
    refreshToken,
    agentId: agent.id,
  });
  return status === 201 ? body : undefined;
}

/** Delegates to the developer's helper. @returns undefined when it was refused */
export async function delegate(
  { caller }: DemoContext,
  { key, helper }: Developer,
  scopes: readonly string[],
  { grantToken }: IssuedTokens,
): Promise<IssuedTokens | undefined> {
  const asked = {
    parentGrantToken: grantToken,
    subAgentId: helper.id,
    scopes: scopes.slice(0, 1),
    expiresIn: '1h',
  };
  const { status, body } = await caller.post('delegate', '/v1/grants/delegate', key, asked);
  return status === 201 ? body : undefined;
}

/** The principal lists the granted permissions and revokes one. */
async function revokeAsPrincipal(
  { caller }: DemoContext,
  { key, principals }: Developer,
  { grantId }: IssuedTokens,
): Promise<void> {
  const grant = (await caller.send('look', `/v1/grants/${grantId}`, { key })).body;
  const principalId = grant.principalId ?? pickOne(principals);
  const opened = await caller.post('principal session', '/v1/principal-sessions', key, { principalId });
  const session = { key: opened.body.sessionToken };
  const listed = await caller.send('principal session', '/v1/principal/grants', session);
  await caller.send('principal session', '/v1/principal/audit', session);
  const active = (listed.body.grants ?? []).find(({ status }: { status: string }) => status === 'active');
  if (active)
    await caller.send('revoke by principal', `/v1/principal/grants/${active.id}`, {
      method: 'DELETE',
      ...session,
    });
}

/** Mistakes that clients make now and then. */
type ClientMistake = (context: DemoContext, developer: Developer, agent: Agent) => Promise<unknown>;
export const CLIENT_MISTAKES: readonly ClientMistake[] = [
  (context, developer, agent) => exchangeInvalidCode(context, developer, agent),
  (context, developer, agent) => reuseRefreshToken(context, developer, agent),
  ({ caller }) => caller.send('wrong key', '/v1/me', { key: 'gx_live_this_is_not_a_key' }),
  ({ caller }) => caller.send('unknown path', '/v1/agent'),
  ({ caller }, { key }, { id, scopes }) =>
    caller.post('authorize', '/v1/authorize', key, { agentId: id, scopes }),
  (context, developer) => shortLivedAgent(context, developer),
];

export const exchangeInvalidCode = ({ caller }: DemoContext, { key }: Developer, agent: Agent) =>
  caller.post('exchange', '/v1/token', key, {
    code: randomBytes(24).toString('base64url'),
    agentId: agent.id,
  });

/** Uses a refresh token twice. The service then revokes its grant. */
export async function reuseRefreshToken(
  context: DemoContext,
  developer: Developer,
  agent: Agent,
): Promise<void> {
  const tokens = await obtainGrant(context, developer, agent, pickOne(developer.principals));
  if (!tokens) return;
  await refresh(context, developer, agent, tokens);
  await refresh(context, developer, agent, tokens);
}

/** Registers an agent, uses it, suspends it and deletes it. The deletion revokes its grants. */
async function shortLivedAgent(context: DemoContext, developer: Developer): Promise<void> {
  const { caller } = context;
  const { key } = developer;
  const made = await caller.post('agent', '/v1/agents', key, { name: 'Trial', scopes: ['calendar:read'] });
  if (made.status !== 201) return;
  const agent: Agent = { id: made.body.agentId, scopes: ['calendar:read'] };
  const tokens = await obtainGrant(context, developer, agent, pickOne(developer.principals));
  if (tokens) await delegate(context, developer, agent.scopes, tokens);
  await caller.send('agent', `/v1/agents/${agent.id}`, {
    method: 'PATCH',
    key,
    body: { status: 'suspended' },
  });
  if (tokens) await caller.post('verify', '/v1/tokens/verify', key, { token: tokens.grantToken });
  const { total } = (await caller.send('look', `/v1/grants?agentId=${agent.id}&pageSize=1`, { key })).body;
  const gone = await caller.send('agent', `/v1/agents/${agent.id}`, { method: 'DELETE', key });
  if (gone.status === 204) context.revokedWithAgents += total ?? 0;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url');
/** The `jti` of a token, without a check of the token. */
const tokenIdOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).jti;
