import { createHash, randomBytes } from 'node:crypto';
import type { Agent, Developer } from './cast.ts';
import { FORBIDDEN_SCOPE, REGULAR } from './cast.ts';
import { chance, oneOf, pause } from './chance.ts';
import type { Stage } from './stage.ts';

export interface Pair {
  readonly grantToken: string;
  readonly refreshToken: string;
  readonly grantId: string;
}

const THINKING_MS = 250;
const think = ({ signal }: Stage) => pause(Math.random() * THINKING_MS, signal);

/** One agent's business with one principal: ask, be permitted or not, work with the token, and perhaps lose it. */
export async function walk(stage: Stage): Promise<void> {
  const developer = oneOf(stage.developers);
  const agent = oneOf(developer.agents);
  if (chance(0.03)) return void (await oneOf(MISHAPS)(stage, developer, agent));
  const pair = await obtain(stage, developer, agent, oneOf(developer.principals));
  if (pair) await use(stage, developer, agent, pair);
}

/** Authorize → decision → exchange. @returns undefined when it was not permitted, or something failed */
export async function obtain(
  stage: Stage,
  developer: Developer,
  agent: Agent,
  principal: string,
): Promise<Pair | undefined> {
  const { caller } = stage;
  const { key, mode } = developer;
  const forbidden = mode === 'live' && agent.scopes.includes(FORBIDDEN_SCOPE) && chance(0.3);
  // A person decides only as often as one address may; the regulars are let through by a policy.
  const byPerson = mode === 'live' && stage.pages.take(3);
  const verifier = chance(0.5) ? randomBytes(32).toString('base64url') : undefined;
  // Some grants run out while the demo is on.
  const shortLived = chance(0.1);
  const asked = await caller.post('authorize', '/v1/authorize', key, {
    agentId: agent.id,
    principalId: mode === 'live' && !byPerson ? REGULAR : principal,
    scopes: forbidden ? [FORBIDDEN_SCOPE] : agent.scopes,
    expiresIn: shortLived ? `${SHORT_LIFE_SECONDS}s` : '8h',
    ...(verifier && { codeChallenge: sha256(verifier), codeChallengeMethod: 'S256' }),
  });
  if (asked.status !== 201) return undefined;
  await think(stage);
  const code = asked.body.code && chance(0.6) ? asked.body.code : await decide(stage, developer, asked.body);
  if (code === undefined) return undefined;
  const exchange = { code, agentId: agent.id, ...(verifier && { codeVerifier: verifier }) };
  const exchanged = await caller.post('exchange', '/v1/token', key, exchange);
  if (exchanged.status !== 201) return undefined;
  if (shortLived) stage.runOutAt = performance.now() + SHORT_LIFE_SECONDS * 1000;
  return exchanged.body;
}
const SHORT_LIFE_SECONDS = 5;

async function decide(
  { caller }: Stage,
  { key, mode }: Developer,
  { authRequestId, code }: { authRequestId: string; code?: string },
): Promise<string | undefined> {
  const approves = chance(0.88);
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

/** What is done with a token: verified often, refreshed, delegated, put on record, and taken back sometimes. */
async function use(stage: Stage, developer: Developer, agent: Agent, pair: Pair): Promise<void> {
  const { caller, signal } = stage;
  const { key } = developer;
  let current = pair;
  for (let round = 0; round < 3 && !signal.aborted; round++) {
    await caller.post('verify', '/v1/tokens/verify', key, { token: current.grantToken });
    if (chance(0.4))
      await caller.post('audit entry', '/v1/audit/log', key, {
        agentId: agent.id,
        grantId: pair.grantId,
        action: 'calendar.read',
        status: chance(0.96) ? 'success' : 'blocked',
      });
    await think(stage);
    if (chance(0.35)) current = (await refresh(stage, developer, agent, current)) ?? current;
  }
  if (signal.aborted) return;
  if (chance(0.25)) await delegate(stage, developer, agent.scopes, current);
  if (chance(0.04))
    await caller.post('verify', '/v1/tokens/verify', key, { token: `${current.grantToken}x` });
  if (chance(0.05)) await caller.send('look', `/v1/revocations/status?grantId=${pair.grantId}`, { key });
  const end = Math.random();
  if (end < 0.15) await caller.send('revoke', `/v1/grants/${pair.grantId}`, { method: 'DELETE', key });
  else if (end < 0.2) await takeBack(stage, developer, pair);
  else if (end < 0.25)
    await caller.post('revoke token', '/v1/tokens/revoke', key, { jti: idOf(current.grantToken) });
}

export async function refresh(
  { caller }: Stage,
  { key }: Developer,
  agent: Agent,
  { refreshToken }: Pair,
): Promise<Pair | undefined> {
  const { status, body } = await caller.post('refresh', '/v1/token/refresh', key, {
    refreshToken,
    agentId: agent.id,
  });
  return status === 201 ? body : undefined;
}

/** Delegates to the developer's helper. @returns undefined when it was refused */
export async function delegate(
  { caller }: Stage,
  { key, helper }: Developer,
  scopes: readonly string[],
  { grantToken }: Pair,
): Promise<Pair | undefined> {
  const asked = {
    parentGrantToken: grantToken,
    subAgentId: helper.id,
    scopes: scopes.slice(0, 1),
    expiresIn: '1h',
  };
  const { status, body } = await caller.post('delegate', '/v1/grants/delegate', key, asked);
  return status === 201 ? body : undefined;
}

/** The principal looks at what he permitted, and takes one thing back. */
async function takeBack({ caller }: Stage, { key, principals }: Developer, { grantId }: Pair): Promise<void> {
  const grant = (await caller.send('look', `/v1/grants/${grantId}`, { key })).body;
  const principalId = grant.principalId ?? oneOf(principals);
  const opened = await caller.post('principal session', '/v1/principal-sessions', key, { principalId });
  const session = { key: opened.body.sessionToken };
  const listed = await caller.send('principal session', '/v1/principal/grants', session);
  await caller.send('principal session', '/v1/principal/audit', session);
  const living = (listed.body.grants ?? []).find(({ status }: { status: string }) => status === 'active');
  if (living)
    await caller.send('revoke by principal', `/v1/principal/grants/${living.id}`, {
      method: 'DELETE',
      ...session,
    });
}

/** What goes wrong in small shares wherever people write programs. */
type Mishap = (stage: Stage, developer: Developer, agent: Agent) => Promise<unknown>;
export const MISHAPS: readonly Mishap[] = [
  (stage, developer, agent) => badCode(stage, developer, agent),
  (stage, developer, agent) => reuse(stage, developer, agent),
  ({ caller }) => caller.send('wrong key', '/v1/me', { key: 'gx_live_this_is_not_a_key' }),
  ({ caller }) => caller.send('unknown path', '/v1/agent'),
  ({ caller }, { key }, { id, scopes }) =>
    caller.post('authorize', '/v1/authorize', key, { agentId: id, scopes }),
  (stage, developer) => shortLivedAgent(stage, developer),
];

export const badCode = ({ caller }: Stage, { key }: Developer, agent: Agent) =>
  caller.post('exchange', '/v1/token', key, {
    code: randomBytes(24).toString('base64url'),
    agentId: agent.id,
  });

/** A refresh token that is used twice takes its grant away. */
export async function reuse(stage: Stage, developer: Developer, agent: Agent): Promise<void> {
  const pair = await obtain(stage, developer, agent, oneOf(developer.principals));
  if (!pair) return;
  await refresh(stage, developer, agent, pair);
  await refresh(stage, developer, agent, pair);
}

/** An agent is tried out, suspended and deleted; what it was granted falls with it. */
async function shortLivedAgent(stage: Stage, developer: Developer): Promise<void> {
  const { caller } = stage;
  const { key } = developer;
  const made = await caller.post('agent', '/v1/agents', key, { name: 'Trial', scopes: ['calendar:read'] });
  if (made.status !== 201) return;
  const agent: Agent = { id: made.body.agentId, scopes: ['calendar:read'] };
  const pair = await obtain(stage, developer, agent, oneOf(developer.principals));
  if (pair) await delegate(stage, developer, agent.scopes, pair);
  await caller.send('agent', `/v1/agents/${agent.id}`, {
    method: 'PATCH',
    key,
    body: { status: 'suspended' },
  });
  if (pair) await caller.post('verify', '/v1/tokens/verify', key, { token: pair.grantToken });
  const { total } = (await caller.send('look', `/v1/grants?agentId=${agent.id}&pageSize=1`, { key })).body;
  const gone = await caller.send('agent', `/v1/agents/${agent.id}`, { method: 'DELETE', key });
  if (gone.status === 204) stage.fallenWithAgents += total ?? 0;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url');
/** The `jti` of a token of which no more needs to be known. */
const idOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).jti;
