import { at } from './at.ts';
import type { Model } from './model.ts';

/**
 * What distinguishes one thing from others for the act that it is chosen for. A run chooses among the kinds that there
 * are, so that a situation that is rare comes up as often as a common one.
 */
export type KindOf = (model: Model, index: number) => string;

const kind = (...parts: readonly unknown[]): string => parts.join(' ');

export const agentKind: KindOf = (model, agent) => {
  const { status, scopes } = at(model.agents, agent);
  const live = model.live().some((grant) => model.grants[grant]?.agent === agent);
  const codes = model.codes.some(
    ({ request, grant }, code) =>
      grant === null && model.isInForce(code) && at(model.requests, request).agent === agent,
  );
  return kind(status, scopes.length, live, codes);
};

export const requestKind: KindOf = (model, request) => {
  const { decision, agent, openUntil } = at(model.requests, request);
  const pending = model.isPending(at(model.requests, request));
  return kind(decision, pending, openUntil <= model.now, at(model.agents, agent).status);
};

export const codeKind: KindOf = (model, code) => {
  const { request, until, grant } = at(model.codes, code);
  const { agent, byPolicy } = at(model.requests, request);
  const { status } = at(model.agents, agent);
  return kind(model.isInForce(code), grant === null, until <= model.now, status, byPolicy);
};

export const grantKind: KindOf = (model, grant) => {
  const below = model.grants.flatMap(({ parent }, child) => (parent === grant ? model.statusOf(child) : []));
  return kind(at(model.grants, grant).principal, model.statusOf(grant), ...new Set(below.sort()));
};

export const tokenKind: KindOf = (model, token) => {
  const { grant, revoked } = at(model.tokens, token);
  return kind(model.revocation(token), revoked, model.statusOf(grant), at(model.grants, grant).depth);
};

export const refreshKind: KindOf = (model, refresh) => {
  const { grant, usedAt, key } = at(model.refreshes, refresh);
  const ended = model.refreshes.some((one) => one.predecessor === refresh && one.usedAt !== null);
  const { status } = at(model.agents, at(model.grants, grant).agent);
  const late = usedAt !== null && usedAt + 300 <= model.now;
  return kind(usedAt !== null, late, key !== null, ended, model.statusOf(grant), status);
};

export const policyKind: KindOf = (model, policy) => {
  const found = model.policies.all[policy];
  if (!found) return 'gone';
  const { effect, agent, principal, scopes } = found;
  return kind(effect, agent === null, principal === null, scopes === null);
};

export const webhookKind: KindOf = (model, hook) => {
  const { removed, manner, told } = at(model.webhooks.all, hook);
  return kind(removed, manner, told.length > 0);
};
