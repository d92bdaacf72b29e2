import type { AgentStatus } from '../agents/store.ts';
import { bigint, int, orNull, text, textOf, texts, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';

export interface DeveloperRow {
  readonly id: string;
  readonly name: string;
  readonly email: string | null;
  readonly mode: string;
  readonly createdAt: Date;
  /** null: its keys work. */
  readonly suspendedAt: Date | null;
}
export interface AgentRow {
  readonly id: string;
  readonly developerId: string;
  readonly name: string;
  readonly status: AgentStatus;
  readonly createdAt: Date;
}
export interface GrantRow {
  readonly id: string;
  readonly developerId: string;
  readonly agentId: string;
  readonly principalId: string;
  readonly scopes: readonly string[];
  readonly status: 'active' | 'revoked';
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

/** What is listed: all, or what has this id, belongs to it, or has it in its name. */
const FILTER = { filter: orNull(text), limit: int };
const ID = { id: text };
/** SQL: the filter as a part of a text, without regard to case. Its own wildcards mean themselves. */
const WITHIN = String.raw`'%' || regexp_replace($filter, '([\\%_])', '\\\1', 'g') || '%'`;

const DEVELOPERS = `select id, name, email, mode, created_at as "createdAt", suspended_at as "suspendedAt" from developers`;
const developerRow = {
  id: text,
  name: text,
  email: orNull(text),
  mode: text,
  createdAt: timestamp,
  suspendedAt: orNull(timestamp),
};
const developers = query({
  operation: 'SELECT',
  collection: 'developers',
  name: 'operators.developers',
  text: `${DEVELOPERS} where $filter::text is null or id = $filter or name ilike ${WITHIN} or email ilike ${WITHIN}
    order by created_at desc, id desc limit $limit::int`,
  params: FILTER,
  row: developerRow,
});
const developer = query({
  operation: 'SELECT',
  collection: 'developers',
  name: 'operators.developer',
  text: `${DEVELOPERS} where id = $id`,
  params: ID,
  row: developerRow,
});

const AGENTS = `select id, developer_id as "developerId", name, status, created_at as "createdAt" from agents
    where removed_at is null`;
const agentRow = {
  id: text,
  developerId: text,
  name: text,
  status: textOf<AgentStatus>(),
  createdAt: timestamp,
};
const agents = query({
  operation: 'SELECT',
  collection: 'agents',
  name: 'operators.agents',
  text: `${AGENTS} and ($filter::text is null or id = $filter or developer_id = $filter or name ilike ${WITHIN})
    order by created_at desc, id desc limit $limit::int`,
  params: FILTER,
  row: agentRow,
});
const agent = query({
  operation: 'SELECT',
  collection: 'agents',
  name: 'operators.agent',
  text: `${AGENTS} and id = $id`,
  params: ID,
  row: agentRow,
});

const GRANTS = `select id, developer_id as "developerId", agent_id as "agentId", principal_id as "principalId", scopes, status,
      issued_at as "issuedAt", expires_at as "expiresAt" from grants`;
const grantRow = {
  id: text,
  developerId: text,
  agentId: text,
  principalId: text,
  scopes: texts,
  status: textOf<'active' | 'revoked'>(),
  issuedAt: timestamp,
  expiresAt: timestamp,
};
const grants = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'operators.grants',
  text: `${GRANTS} where id = $filter or agent_id = $filter or developer_id = $filter or principal_id = $filter
    order by issued_at desc, id desc limit $limit::int`,
  params: { filter: text, limit: int },
  row: grantRow,
});
const grant = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'operators.grant',
  text: `${GRANTS} where id = $id`,
  params: ID,
  row: grantRow,
});

/** Developers, newest first: all, or those with the filter as id, or in name or email. */
export const findDevelopers = (
  db: Queryable,
  filter: string | null,
  limit: number,
): Promise<DeveloperRow[]> => db.all(developers, { filter, limit });

/** Agents, newest first: all, or those with the filter as id or developer, or in their names. */
export const findAgents = (db: Queryable, filter: string | null, limit: number): Promise<AgentRow[]> =>
  db.all(agents, { filter, limit });

/** Grants, newest first, whose id, agent, developer or principal is this. */
export const findGrants = (db: Queryable, filter: string, limit: number): Promise<GrantRow[]> =>
  db.all(grants, { filter, limit });

// What is acted on is read by its id alone. A list has an end, and others may give names with somebody's id in them to many.
export const developerById = (db: Queryable, id: string): Promise<DeveloperRow | undefined> =>
  db.first(developer, { id });
/** @returns undefined as well for one that is removed */
export const agentById = (db: Queryable, id: string): Promise<AgentRow | undefined> =>
  db.first(agent, { id });
export const grantById = (db: Queryable, id: string): Promise<GrantRow | undefined> =>
  db.first(grant, { id });

const setSuspended = query({
  operation: 'UPDATE',
  collection: 'developers',
  name: 'operators.set_suspended',
  text: `update developers set suspended_at = $suspendedAt
    where id = $id and (suspended_at is null) <> ($suspendedAt::timestamptz is null) returning id`,
  params: { id: text, suspendedAt: orNull(timestamp) },
  row: { id: text },
});

/** @returns false when the developer does not exist, or is in that state already */
export const suspendDeveloperRow = async (
  tx: Queryable,
  developer: { readonly id: string; readonly suspendedAt: Date | null },
): Promise<boolean> => (await tx.first(setSuspended, developer)) !== undefined;

export interface OperatorChange {
  readonly developerId: string;
  /** null: the change is of the developer itself. */
  readonly agentId: string | null;
  readonly change: 'suspended' | 'resumed';
}
const change = { developerId: text, agentId: orNull(text), change: textOf<OperatorChange['change']>() };

const insert = query({
  operation: 'INSERT',
  collection: 'operator_changes',
  name: 'operators.insert_change',
  text: 'insert into operator_changes (developer_id, agent_id, change) values ($developerId, $agentId, $change)',
  params: change,
  row: {},
});
const take = query({
  operation: 'DELETE',
  collection: 'operator_changes',
  name: 'operators.take_changes',
  text: `delete from operator_changes where seq = any(array(
      select seq from operator_changes order by seq limit $limit for update skip locked))
    returning developer_id as "developerId", agent_id as "agentId", change`,
  params: { limit: bigint },
  row: change,
});

/** Leaves a change for a replica to count and log, once the transaction has committed. */
export async function insertOperatorChange(tx: Queryable, row: OperatorChange): Promise<void> {
  await tx.all(insert, row);
}

/** Takes changes out. Of concurrent calls each gets others. */
export const takeOperatorChanges = (tx: Queryable, limit: number): Promise<OperatorChange[]> =>
  tx.all(take, { limit });
