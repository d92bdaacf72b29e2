import fc from 'fast-check';
import { expect } from 'vitest';
import { type Before, compare } from './compare.ts';
import type { Caller, Model, Protocol } from './model.ts';
import { at, type Real } from './real.ts';
import {
  agentKind,
  codeKind,
  grantKind,
  type KindOf,
  refreshKind,
  requestKind,
  tokenKind,
} from './situations.ts';

/** The service as a run sees it. */
export interface System {
  readonly real: Real;
  readonly before: Before;
  /** Everything is compared after so many steps; what went wrong before shows then, too. */
  readonly compareEvery: number;
  steps: number;
}
export type Command = fc.AsyncCommand<Model, System>;

/** Picks the numbers of things that there are when the command's turn comes; 0 is the simplest choice. */
type Pick = <T>(from: readonly T[]) => T | undefined;

interface Act {
  /** One line for the report of a failure. */
  readonly name: string;
  /** Done to the model and to the service: both must answer with the same status. */
  act?(on: Protocol): number | Promise<number>;
  /** What there is to look at besides. */
  look?(model: Model, real: Real): Promise<void>;
}

/**
 * A command whose act is chosen when its turn comes, from what there is then; it is passed over when there is nothing.
 * The choice is a function of the state and of `luck`, so that a failure shrinks and can be repeated.
 */
const command = (name: string, choose: (model: Model, pick: Pick) => Act | null): fc.Arbitrary<Command> =>
  fc.array(fc.nat({ max: 59 }), { minLength: 12, maxLength: 12 }).map((luck) => {
    const actOn = (model: Readonly<Model>) => choose(model as Model, picker(luck));
    let told = name;
    return {
      check: (model) => actOn(model) !== null,
      async run(model, system) {
        const { real, before, compareEvery } = system;
        const act = actOn(model);
        if (!act) return;
        told = act.name;
        const expected = act.act?.(model);
        expect(await act.act?.(real), `status of ${act.name}`).toBe(expected);
        await act.look?.(model, real);
        if (++system.steps % compareEvery === 0) await compare(model, real, before);
      },
      toString: () => told,
    };
  });

const picker = (luck: readonly number[]): Pick => {
  let turn = 0;
  return (from) => from[(luck[turn++ % luck.length] ?? 0) % Math.max(1, from.length)];
};

/** Numbers of the entries that are wanted. */
const which = <T>(list: readonly T[], wanted: (entry: T, index: number) => boolean = () => true): number[] =>
  list.flatMap((entry, index) => (wanted(entry, index) ? index : []));

const SCOPES = [['files:read'], ['files:read', 'files:write'], ['files:write'], ['mail:send']];
/** No multiple of 70 comes near one of these, nor near the 300 and 600 seconds of the contract. */
const LIVES = [86_400, 3600, 900];
const STEPS = [70, 210, 420, 3500];

/** By turns what the act can succeed on, and a thing of any kind: first the kind is chosen, then one of it. */
function someOf(
  model: Model,
  pick: Pick,
  kindOf: KindOf,
  all: readonly number[],
  isAble: (index: number) => boolean,
): number | undefined {
  const kinds = [...Map.groupBy(all, (index) => kindOf(model, index)).values()];
  const ofAnyKind = pick(pick(kinds) ?? []);
  const able = pick(all.filter(isAble));
  return pick([able ?? ofAnyKind, ofAnyKind]);
}

const developersOf = (model: Model) => which(model.modes);
const ALWAYS = 9;

/** Mostly the agent itself under its developer's key; one time in ten each another agent, another developer. */
function caller(model: Model, pick: Pick, agent: number): Caller {
  const own = { developer: at(model.agents, agent).developer, agent };
  const stray = pick(Array.from({ length: ALWAYS + 1 }, (_, n) => n));
  if (stray === ALWAYS) return { ...own, agent: pick(which(model.agents)) ?? agent };
  if (stray === ALWAYS - 1) return { ...own, developer: pick(developersOf(model)) ?? own.developer };
  return own;
}

const newAgent = command('new agent', (model, pick) => {
  const developer = pick(developersOf(model)) ?? 0;
  const scopes = pick([[], [], ['files:read', 'files:write']]) ?? [];
  return {
    name: `new agent of developer ${developer} for ${scopes.join(' ') || 'anything'}`,
    act: (on) => on.newAgent(developer, scopes),
  };
});

const authorize = command('authorize', (model, pick) => {
  const agent = someOf(
    model,
    pick,
    agentKind,
    which(model.agents),
    (n) => model.agents[n]?.status === 'active',
  );
  if (agent === undefined) return null;
  const by = caller(model, pick, agent);
  const scopes = pick([...SCOPES, ['files:read', 'files:write']]) ?? [];
  const life = pick(LIVES) ?? 0;
  return {
    name: `authorize agent ${by.agent} by developer ${by.developer} for ${scopes.join(' ')}, ${life} s`,
    act: (on) => on.authorize(by, scopes, life),
  };
});

const decide = (decision: 'approved' | 'denied') =>
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

const exchange = (name: string, wantUsed: boolean) =>
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
const refresh = (name: string, how: UsedHow, weightOfSameKey: number) =>
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

const delegate = command('delegate', (model, pick) => {
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

const revokeGrant = command('revoke grant', (model, pick) => {
  const grant = someOf(model, pick, grantKind, which(model.grants), (n) => model.statusOf(n) === 'active');
  if (grant === undefined) return null;
  const { developer } = caller(model, pick, at(model.grants, grant).agent);
  return {
    name: `revoke grant ${grant} by developer ${developer}`,
    act: (on) => on.revokeGrant(developer, grant),
  };
});

const revokeToken = command('revoke token', (model, pick) => {
  const token = someOf(model, pick, tokenKind, which(model.tokens), (n) => model.isLive(n));
  if (token === undefined) return null;
  const { developer } = caller(model, pick, at(model.grants, at(model.tokens, token).grant).agent);
  return {
    name: `revoke token ${token} by developer ${developer}`,
    act: (on) => on.revokeToken(developer, token),
  };
});

const setStatus = (status: 'active' | 'suspended') =>
  command(status, (model, pick) => {
    const wanted = which(model.agents, (found) => found.status !== status);
    const agent = someOf(model, pick, agentKind, wanted, (n) => model.agents[n]?.status !== 'deleted');
    if (agent === undefined) return null;
    const { developer } = caller(model, pick, agent);
    return {
      name: `set agent ${agent} ${status} by developer ${developer}`,
      act: (on) => on.setStatus(developer, agent, status),
    };
  });

const deleteAgent = command('delete agent', (model, pick) => {
  const agent = someOf(model, pick, agentKind, which(model.agents), () => true);
  if (agent === undefined) return null;
  const { developer } = caller(model, pick, agent);
  return {
    name: `delete agent ${agent} by developer ${developer}`,
    act: (on) => on.deleteAgent(developer, agent),
  };
});

const pass = command('time passes', (_model, pick) => {
  const seconds = pick(STEPS) ?? 0;
  return {
    name: `${seconds} s pass`,
    act: (on) => on.pass(seconds),
  };
});

const inspect = command('inspect', (model, pick) => {
  const token = someOf(model, pick, tokenKind, which(model.tokens), () => true);
  if (token === undefined) return null;
  const { developer } = at(model.agents, at(model.grants, at(model.tokens, token).grant).agent);
  return {
    name: `inspect token ${token}`,
    look: (now, real) => inspectToken(now, real, token, developer),
  };
});

/** The three other ways to ask about a token must say the same as `verify`. */
async function inspectToken(model: Model, real: Real, token: number, developer: number): Promise<void> {
  const { jwt, jti } = at(real.given.tokens, token);
  const status = model.revocation(token);
  const grantId = at(real.given.grants, at(model.tokens, token).grant);
  const asked = await real.ask(developer, 'GET', `/v1/revocations/status?grantId=${grantId}&jti=${jti}`);
  expect(asked.body).toEqual({ revoked: status !== 'active', status });
  const verified = await real.ask(developer, 'POST', '/v1/grants/verify', { token: jwt });
  const suspended =
    model.agents[at(model.grants, at(model.tokens, token).grant).agent]?.status === 'suspended';
  const reason =
    status === 'unknown' ? 'not_found' : suspended || status === 'revoked' ? 'revoked' : 'expired';
  if (status === 'active')
    expect(verified.body).toMatchObject({ active: true, claims: { jti, grnt: grantId } });
  else expect(verified.body).toEqual({ active: false, reason });
  await inspectAsStranger(model, real, token, developer);
  const listed = await real.ask(developer, 'GET', '/v1/grants?status=active&pageSize=100');
  expect(listed.body.total).toBe(
    which(
      model.grants,
      ({ agent }, grant) =>
        at(model.agents, agent).developer === developer && model.statusOf(grant) === 'active',
    ).length,
  );
}

/** To another developer it is no token at all. */
async function inspectAsStranger(model: Model, real: Real, token: number, owner: number): Promise<void> {
  const stranger = which(model.modes, (_, developer) => developer !== owner)[0] ?? owner;
  const { jwt, jti } = at(real.given.tokens, token);
  const verified = await real.ask(stranger, 'POST', '/v1/tokens/verify', { token: jwt });
  expect(verified.body).toEqual({ valid: false });
  model.counts['verify/invalid']++;
  const asked = await real.ask(stranger, 'GET', `/v1/revocations/status?jti=${jti}`);
  expect(asked.body).toEqual({ revoked: true, status: 'unknown' });
}

/** Several times in the list: more often. Runs must get grants before they can lose them. */
export const COMMANDS: fc.Arbitrary<Command>[] = [
  ...Array(5).fill(authorize),
  ...Array(6).fill(decide('approved')),
  ...Array(6).fill(exchange('exchange', false)),
  ...Array(4).fill(delegate),
  ...Array(3).fill(refresh('refresh', 'fresh', 0)),
  ...Array(2).fill(refresh('retry', 'used with a key', 4)),
  ...Array(2).fill(setStatus('active')),
  refresh('reuse', 'used', 0),
  exchange('replay', true),
  decide('denied'),
  pass,
  newAgent,
  revokeGrant,
  revokeToken,
  setStatus('suspended'),
  deleteAgent,
  pass,
  inspect,
];
