import type { Queryable } from '../db/queryable.ts';
import { describeStatement } from '../telemetry/database.ts';

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

const insert = describeStatement({
  operation: 'INSERT',
  collection: 'agents',
  name: 'agents.insert',
  text: `insert into agents (id, developer_id, name, description, scopes, status, created_at, updated_at)
    values ($1, $2, $3, $4, $5, 'active', $6, $6) returning ${COLUMNS}`,
});
const list = describeStatement({
  operation: 'SELECT',
  collection: 'agents',
  name: 'agents.list',
  text: `select ${COLUMNS} from agents where developer_id = $1 order by created_at desc, id desc`,
});
const byId = describeStatement({
  operation: 'SELECT',
  collection: 'agents',
  name: 'agents.by_id',
  text: `select ${COLUMNS} from agents where developer_id = $1 and id = $2`,
});
const update = describeStatement({
  operation: 'UPDATE',
  collection: 'agents',
  name: 'agents.update',
  text: `update agents set name = coalesce($3, name), description = coalesce($4, description),
      scopes = coalesce($5, scopes), status = coalesce($6, status), updated_at = greatest($7, updated_at)
    where developer_id = $1 and id = $2 returning ${COLUMNS}`,
});
// New grants and requests of the agent refer to its row, so they wait for this lock and then fail.
const lock = describeStatement({
  operation: 'SELECT',
  collection: 'agents',
  name: 'agents.lock',
  text: 'select id from agents where developer_id = $1 and id = $2 for update',
});
const remove = describeStatement({
  operation: 'DELETE',
  collection: 'agents',
  name: 'agents.remove',
  text: 'delete from agents where developer_id = $1 and id = $2',
});

/** Stores a new agent, which is active. */
export async function insertAgent(
  db: Queryable,
  row: Pick<Agent, 'id' | 'developerId' | 'name' | 'description' | 'scopes' | 'createdAt'>,
): Promise<Agent> {
  const values = [row.id, row.developerId, row.name, row.description, row.scopes, row.createdAt];
  const [agent] = await db.rows<Agent>(insert, values);
  if (!agent) throw new Error('insert returned no row');
  return agent;
}

/** Newest first. */
export const listAgents = (db: Queryable, developerId: string): Promise<Agent[]> =>
  db.rows(list, [developerId]);

/** Undefined when the developer has no such agent. */
export async function agentById(db: Queryable, developerId: string, id: string): Promise<Agent | undefined> {
  const [agent] = await db.rows<Agent>(byId, [developerId, id]);
  return agent;
}

/** What of an agent can be changed; an absent member stays as it is. */
export interface AgentChange {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly status?: AgentStatus | undefined;
}

/** @returns the whole changed agent; undefined when the developer has no such agent */
export async function updateAgent(
  db: Queryable,
  developerId: string,
  id: string,
  change: AgentChange,
  now: Date,
): Promise<Agent | undefined> {
  const { name = null, description = null, scopes = null, status = null } = change;
  const [agent] = await db.rows<Agent>(update, [developerId, id, name, description, scopes, status, now]);
  return agent;
}

/** Keeps new grants of the agent out until the transaction ends. @returns whether there is such an agent */
export async function lockAgent(tx: Queryable, developerId: string, id: string): Promise<boolean> {
  return (await tx.rows(lock, [developerId, id])).length === 1;
}

/** Removes the agent's row, and with it its authorization requests. Its grants must have been removed before. */
export async function removeAgent(tx: Queryable, developerId: string, id: string): Promise<void> {
  await tx.rows(remove, [developerId, id]);
}
