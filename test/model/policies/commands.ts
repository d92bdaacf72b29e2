import { which } from '../at.ts';
import { command, developersOf, type Pick, seldom, someOf } from '../command.ts';
import { PRINCIPALS } from '../given.ts';
import type { Model } from '../model.ts';
import { policyKind } from '../situations.ts';
import type { Terms } from './model.ts';

/** The empty list matches nothing. */
const SCOPES = [['files:read', 'files:write'], ['mail:send'], ['files:read'], []];
/** Few, so that several policies share one. */
const PRIORITIES = [0, 10, -10];

const told = (change: Partial<Terms>): string =>
  Object.entries(change)
    .map(([name, value]) => `${name} ${value === null ? 'any' : value}`)
    .join(', ');

/** An agent that a policy may name; one time in ten it may not. */
const nameable = (model: Model, pick: Pick, developer: number): number | null => {
  const stray = seldom(pick);
  const agents = which(
    model.agents,
    (agent, number) => stray || (agent.developer === developer && model.owns({ developer, agent: number })),
  );
  return pick(agents) ?? null;
};

/** Mostly a rule with one condition or two: one without any leaves little for the others to decide. */
function newTerms(model: Model, pick: Pick, developer: number): Terms {
  const about = pick(['agent', 'principal', 'scopes', 'agent scopes', 'agent principal', '']) ?? '';
  return {
    effect: pick(['deny', 'allow'] as const) ?? 'deny',
    priority: pick(PRIORITIES) ?? 0,
    agent: about.includes('agent') ? nameable(model, pick, developer) : null,
    principal: about.includes('principal') ? (pick(PRINCIPALS) ?? null) : null,
    scopes: about.includes('scopes') ? (pick(SCOPES) ?? null) : null,
  };
}

/** The owner; one time in ten any developer. */
const owner = (model: Model, pick: Pick, policy: number): number => {
  const any = pick(developersOf(model)) ?? 0;
  return seldom(pick) ? any : (model.policies.all[policy]?.developer ?? any);
};

export const addPolicy = command('add policy', (model, pick) => {
  const developer = pick(developersOf(model)) ?? 0;
  const terms = newTerms(model, pick, developer);
  return {
    name: `add policy of developer ${developer}: ${told(terms)}`,
    act: (on) => on.policies.add(developer, terms),
  };
});

export const changePolicy = command('change policy', (model, pick) => {
  const policy = somePolicy(model, pick);
  if (policy === undefined) return null;
  const developer = owner(model, pick, policy);
  const name = pick(['effect', 'priority', 'agent', 'principal', 'scopes'] as const) ?? 'effect';
  const change = { [name]: newTerms(model, pick, developer)[name] } as Partial<Terms>;
  return {
    name: `change policy ${policy} by developer ${developer}: ${told(change)}`,
    act: (on) => on.policies.change(developer, policy, change),
  };
});

export const removePolicy = command('remove policy', (model, pick) => {
  const policy = somePolicy(model, pick);
  if (policy === undefined) return null;
  const developer = owner(model, pick, policy);
  return {
    name: `remove policy ${policy} by developer ${developer}`,
    act: (on) => on.policies.remove(developer, policy),
  };
});

const somePolicy = (model: Model, pick: Pick): number | undefined =>
  someOf(model, pick, policyKind, which(model.policies.all), (policy) => model.policies.all[policy] !== null);
