import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { badRequest, notFound, ServiceError } from '../errors.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { type Agent, type AgentChange, agentById, insertAgent, listAgents, updateAgent } from './store.ts';

type Caller = Pick<Developer, 'id'>;

/** Registers an agent. PLAN_LIMIT_EXCEEDED when the developer already has `MAX_AGENTS`. */
export async function registerAgent(
  deps: Pick<Deps, 'db' | 'ids' | 'clock' | 'config' | 'telemetry'>,
  caller: Caller,
  input: Pick<Agent, 'name' | 'description' | 'scopes' | 'status'>,
): Promise<Outcome<Agent>> {
  const { db, ids, clock, telemetry } = deps;
  const { maxAgents } = deps.config;
  const now = clock.now();
  const row = { ...input, id: ids.next('ag', now), developerId: caller.id, createdAt: new Date(now) };
  const agent = await db.transaction((tx) => insertAgent(tx, row, maxAgents));
  if (!agent)
    return refuse(new ServiceError('PLAN_LIMIT_EXCEEDED', `A developer has at most ${maxAgents} agents`));
  const { id: agentId, developerId } = agent;
  const changes = Object.keys(input);
  telemetry.events.adminChanged({ object: 'agent', change: 'created', agentId, developerId, changes });
  return done(agent);
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
  { db, clock, telemetry }: Pick<Deps, 'db' | 'clock' | 'telemetry'>,
  caller: Caller,
  { id, change }: { id: string; change: AgentChange },
): Promise<Outcome<Agent>> {
  const changes = Object.entries(change).flatMap(([name, value]) => (value === undefined ? [] : name));
  if (changes.length === 0)
    return refuse(badRequest('At least one of name, description, scopes and status is required'));
  const agent = await updateAgent(db, { developerId: caller.id, id }, change, new Date(clock.now()));
  if (!agent) return refuse(notFound('Agent'));
  telemetry.events.adminChanged({
    object: 'agent',
    change: kindOf(change),
    agentId: id,
    developerId: caller.id,
    changes,
  });
  return done(agent);
}

const kindOf = ({ status }: AgentChange) =>
  status === undefined ? 'updated' : status === 'suspended' ? 'suspended' : 'resumed';
