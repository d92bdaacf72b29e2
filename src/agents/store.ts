import { boundedCount } from '../db/bounded-count.ts';
import { bool, int, orNull, text, textOf, texts, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { takeTurn } from '../db/take-turn.ts';

export type AgentStatus = 'active' | 'suspended';

export interface Agent {
  readonly id: string;
  readonly developerId: string;
  readonly name: string;
  readonly description: string;
  readonly scopes: readonly string[];
  readonly status: AgentStatus;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const COLUMNS = `id, developer_id as "developerId", name, description, scopes, status,
  created_at as "createdAt", updated_at as "updatedAt"`;
const status = textOf<AgentStatus>();
const row = {
  id: text,
  developerId: text,
  name: text,
  description: text,
  scopes: texts,
  status,
  createdAt: timestamp,
  updatedAt: timestamp,
};
const key = { developerId: text, id: text };

const insert = query({
  operation: 'INSERT',
  collection: 'agents',
  name: 'agents.insert',
  text: `insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    select $id, $developerId, $name, $description, $scopes::text[], $status, $createdAt::timestamptz, $createdAt::timestamptz
    where (select count(*) from agents where developer_id = $developerId and removed_at is null) < $limit::int
    returning ${COLUMNS}`,
  params: { ...key, name: text, description: text, scopes: texts, status, createdAt: timestamp, limit: int },
  row,
});
const list = query({
  operation: 'SELECT',
  collection: 'agents',
  name: 'agents.list',
  text: `select ${COLUMNS} from agents where developer_id = $developerId and removed_at is null
    order by created_at desc, id desc
    limit $limit::int offset $offset::int`,
  params: { developerId: text, limit: int, offset: int },
  row,
});
const count = query({
  operation: 'SELECT',
  collection: 'agents',
  name: 'agents.count',
  text: boundedCount('agents where developer_id = $developerId and removed_at is null'),
  params: { developerId: text },
  row: { total: int },
});
const byId = query({
  operation: 'SELECT',
  collection: 'agents',
  name: 'agents.by_id',
  text: `select ${COLUMNS} from agents where developer_id = $developerId and id = $id and removed_at is null`,
  params: key,
  row,
});
const update = query({
  operation: 'UPDATE',
  collection: 'agents',
  name: 'agents.update',
  text: `update agents set name = coalesce($name, name), description = coalesce($description, description),
      scopes = coalesce($scopes, scopes), status = coalesce($status, status), updated_at = greatest($now, updated_at)
    where developer_id = $developerId and id = $id and removed_at is null returning ${COLUMNS}`,
  params: {
    ...key,
    name: orNull(text),
    description: orNull(text),
    scopes: orNull(texts),
    status: orNull(status),
    now: timestamp,
  },
  row,
});
/** What one request can remove together with an agent, before it would take too long: of what falls, and of what goes. */
const MOST_FALLING = 1000;
const MOST_GOING = 5000;
const moreThan = (most: number, rows: string) =>
  `(select count(*) from (${rows} limit ${most + 1}) counted) > ${most}`;

// New grants and requests of the agent reference its row. They wait for this lock and then fail.
const lock = query({
  operation: 'SELECT',
  collection: 'agents',
  name: 'agents.lock',
  text: `select ${moreThan(MOST_FALLING, 'select from grants where agent_id = agents.id')}
      or ${moreThan(MOST_GOING, 'select from refresh_tokens where agent_id = agents.id')}
      or ${moreThan(MOST_GOING, 'select from authorization_requests where agent_id = agents.id')}
      or (with recursive tree as (
          select id from grants where agent_id = agents.id and status = 'active'
          union
          select child.id from grants child join tree on child.parent_grant_id = tree.id where child.status = 'active')
        select ${moreThan(MOST_FALLING, 'select from tree')}) as large
    from agents where developer_id = $developerId and id = $id and removed_at is null for update`,
  params: key,
  row: { large: bool },
});
// Replicas of the release before know no removed agents, but refuse everything to suspended ones.
const mark = query({
  operation: 'UPDATE',
  collection: 'agents',
  name: 'agents.mark_removed',
  text: `with policy as (delete from policies where agent_id = $id)
    update agents set removed_at = $now, status = 'suspended' where developer_id = $developerId and id = $id`,
  params: { ...key, now: timestamp },
  row: {},
});
const remove = query({
  operation: 'DELETE',
  collection: 'agents',
  name: 'agents.remove',
  text: 'delete from agents where developer_id = $developerId and id = $id',
  params: key,
  row: {},
});

/** Identifies an agent that must belong to this developer. */
export interface AgentKey {
  readonly developerId: string;
  readonly id: string;
}

/**
 * Stores a new agent. Run it in a transaction: concurrent calls then stay within the limit.
 * @returns undefined when the developer already has `limit` agents
 */
export async function insertAgent(
  tx: Queryable,
  agent: Omit<Agent, 'updatedAt'>,
  limit: number,
): Promise<Agent | undefined> {
  await takeTurn(tx, `agents of ${agent.developerId}`);
  return tx.first(insert, { ...agent, limit });
}

/** One page of a developer's agents, newest first, and the number of all of them. */
export async function listAgents(
  db: Queryable,
  developerId: string,
  { limit, offset }: { limit: number; offset: number },
): Promise<{ agents: Agent[]; total: number }> {
  const [agents, { total }] = await Promise.all([
    db.all(list, { developerId, limit, offset }),
    db.only(count, { developerId }),
  ]);
  return { agents, total };
}

/** Undefined when the developer has no such agent. */
export const agentById = (db: Queryable, agent: AgentKey): Promise<Agent | undefined> =>
  db.first(byId, agent);

/** The members of an agent that can change. An absent member stays as it is. */
export interface AgentChange {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly status?: AgentStatus | undefined;
}

/** @returns the complete changed agent; undefined when the developer has no such agent */
export function updateAgent(
  db: Queryable,
  agent: AgentKey,
  change: AgentChange,
  now: Date,
): Promise<Agent | undefined> {
  const { name = null, description = null, scopes = null, status = null } = change;
  return db.first(update, { ...agent, name, description, scopes, status, now });
}

/**
 * Blocks new grants of the agent until the transaction ends. @returns undefined when the developer has no such agent; `large`:
 * more goes with it than one request can remove
 */
export const lockAgent = (tx: Queryable, agent: AgentKey): Promise<{ large: boolean } | undefined> =>
  tx.first(lock, agent);

/** Hides the agent from everything, and removes its policies. Its row stays until nothing refers to it any more. */
export async function markAgentRemoved(tx: Queryable, agent: AgentKey, now: Date): Promise<void> {
  await tx.all(mark, { ...agent, now });
}

/** Removes the agent's row and its authorization requests. Its grants must already be gone. */
export async function removeAgent(tx: Queryable, agent: AgentKey): Promise<void> {
  await tx.all(remove, agent);
}
