import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { badRequest, notFound, ServiceError } from '../errors.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { type Agent, type AgentChange, agentById, insertAgent, listAgents, updateAgent } from './store.ts';

type Caller = Pick<Developer, 'id'>;

/** Registers an agent. PLAN_LIMIT_EXCEEDED when the developer already has `MAX_AGENTS`. */
export async function registerAgent(
  { db, ids, clock, config: { maxAgents } }: Pick<Deps, 'db' | 'ids' | 'clock' | 'config'>,
  caller: Caller,
  input: Pick<Agent, 'name' | 'description' | 'scopes' | 'status'>,
): Promise<Outcome<Agent>> {
  const now = clock.now();
  const row = { ...input, id: ids.next('ag', now), developerId: caller.id, createdAt: new Date(now) };
  const agent = await db.transaction((tx) => insertAgent(tx, row, maxAgents));
  return agent
    ? done(agent)
    : refuse(new ServiceError('PLAN_LIMIT_EXCEEDED', `A developer has at most ${maxAgents} agents`));
}

/** One page of a developer's agents, newest first. */
export const ownAgents = async (
  { db }: Pick<Deps, 'db'>,
  caller: Caller,
  page: { limit: number; offset: number },
): Promise<Outcome<{ agents: Agent[]; total: number }>> => done(await listAgents(db, caller.id, page));

/** One agent. NOT_FOUND for an unknown agent or an agent of another developer. */
export async function ownAgent(
  { db }: Pick<Deps, 'db'>,
  caller: Caller,
  id: string,
): Promise<Outcome<Agent>> {
  const agent = await agentById(db, { developerId: caller.id, id });
  return agent ? done(agent) : refuse(notFound('Agent'));
}

/** Changes the given members of an agent. BAD_REQUEST when no member is given, NOT_FOUND as for `ownAgent`. */
export async function changeAgent(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  caller: Caller,
  { id, change }: { id: string; change: AgentChange },
): Promise<Outcome<Agent>> {
  if (Object.values(change).every((value) => value === undefined))
    return refuse(badRequest('At least one of name, description, scopes and status is required'));
  const agent = await updateAgent(db, { developerId: caller.id, id }, change, new Date(clock.now()));
  return agent ? done(agent) : refuse(notFound('Agent'));
}
