import { at, which } from './at.ts';
import { caller, command, developersOf, type Pick, someOf } from './command.ts';
import { PRINCIPALS } from './given.ts';
import type { Model } from './model.ts';
import type { Ask, Caller } from './protocol.ts';
import { agentKind, codeKind, grantKind, refreshKind, requestKind, tokenKind } from './situations.ts';

const SCOPES = [['files:read'], ['files:read', 'files:write'], ['files:write'], ['mail:send']];
/** Far from every multiple of the seconds that a run lets pass. */
const LIVES = [86_400, 3600, 900];

export const authorize = command('authorize', (model, pick) => {
  const agent = someOf(
    model,
    pick,
    agentKind,
    which(model.agents),
    (n) => model.agents[n]?.status === 'active',
  );
  if (agent === undefined) return null;
  const by = caller(model, pick, agent);
  const { principal, scopes } = question(model, pick, by);
  const life = pick(LIVES) ?? 0;
  return {
    name: `authorize agent ${by.agent} by developer ${by.developer} for ${scopes.join(' ')} of principal ${principal}, ${life} s`,
    act: (on) => on.authorize(by, { principal, scopes, life }),
  };
});

/** Policies that decide are sought out, and so are requests that none decides: grants come from these. */
function question(model: Model, pick: Pick, by: Caller): Omit<Ask, 'life'> {
  const scopes = [...SCOPES, ['files:read', 'files:write']];
  const all = PRINCIPALS.flatMap((principal) => scopes.map((of) => ({ principal, scopes: of })));
  const wanted = pick([undefined, undefined, undefined, 'allow', 'deny']);
  const fitting = all.filter((one) => model.policies.decide(by, { ...one, life: 0 })?.effect === wanted);
  return pick(fitting) ?? pick(all) ?? { principal: 0, scopes: [] };
}

export const decide = (decision: 'approved' | 'denied') =>
  command(decision, (model, pick) => {
    const isAble = (n: number) => model.isPending(at(model.requests, n));
    const request = someOf(model, pick, requestKind, which(model.requests), isAble);
    if (request === undefined) return null;
    // On the public route, or on the sandbox one by the owner or another developer.
    const developer = pick([null, null, null, null, null, null, ...developersOf(model)]) ?? null;
    return {
      name: `${decision}: request ${request} by ${developer === null ? 'the principal' : `developer ${developer}`}`,
      act: (on) => on.decide(request, decision, developer),
    };
  });

export const exchange = (name: string, wantUsed: boolean) =>
  command(name, (model, pick) => {
    const wanted = which(model.codes, ({ grant }) => (grant !== null) === wantUsed);
    const code = someOf(model, pick, codeKind, wanted, (n) => model.isInForce(n));
    if (code === undefined) return null;
    const by = caller(model, pick, at(model.requests, at(model.codes, code).request).agent);
    return {
      name: `${name}: code ${code} for agent ${by.agent} by developer ${by.developer}`,
      act: (on) => on.exchange(by, code),
    };
  });

type UsedHow = 'fresh' | 'used' | 'used with a key';
export const refresh = (name: string, how: UsedHow, weightOfSameKey: number) =>
  command(name, (model, pick) => {
    const wanted = which(model.refreshes, ({ usedAt, key }) =>
      how === 'fresh' ? usedAt === null : usedAt !== null && (how === 'used' || key !== null),
    );
    const isAble = (n: number) => model.statusOf(at(model.refreshes, n).grant) === 'active';
    const token = someOf(model, pick, refreshKind, wanted, isAble);
    if (token === undefined) return null;
    const { grant, key: before } = at(model.refreshes, token);
    const same = Array<string | null>(weightOfSameKey).fill(before);
    const key = pick([...same, null, 'key one', 'key two']) ?? null;
    const by = caller(model, pick, at(model.grants, grant).agent);
    return {
      name: `${name}: refresh token ${token} of grant ${grant} for agent ${by.agent} by developer ${by.developer}, ${key ?? 'no key'}`,
      act: (on) => on.refresh(by, token, key),
    };
  });

export const delegate = command('delegate', (model, pick) => {
  const token = someOf(model, pick, tokenKind, which(model.tokens), (n) => model.isLive(n));
  if (token === undefined) return null;
  const parent = at(model.grants, at(model.tokens, token).grant);
  const { developer } = at(model.agents, parent.agent);
  const own = which(model.agents, (agent) => agent.developer === developer && agent.status === 'active');
  const by = caller(model, pick, pick(own) ?? parent.agent);
  const scopes = pick([parent.scopes, parent.scopes.slice(0, 1), parent.scopes, ['mail:send']]) ?? [];
  const life = pick(LIVES) ?? 0;
  return {
    name: `delegate token ${token} to agent ${by.agent} by developer ${by.developer} for ${scopes.join(' ')}, ${life} s`,
    act: (on) => on.delegate({ ...by }, token, scopes, life),
  };
});

export const revokeGrant = command('revoke grant', (model, pick) => {
  const grant = someOf(model, pick, grantKind, which(model.grants), (n) => model.statusOf(n) === 'active');
  if (grant === undefined) return null;
  const { developer } = caller(model, pick, at(model.grants, grant).agent);
  return {
    name: `revoke grant ${grant} by developer ${developer}`,
    act: (on) => on.revokeGrant(developer, grant),
  };
});

export const revokeToken = command('revoke token', (model, pick) => {
  const token = someOf(model, pick, tokenKind, which(model.tokens), (n) => model.isLive(n));
  if (token === undefined) return null;
  const { developer } = caller(model, pick, at(model.grants, at(model.tokens, token).grant).agent);
  return {
    name: `revoke token ${token} by developer ${developer}`,
    act: (on) => on.revokeToken(developer, token),
  };
});
