import { countOf } from '../db/count.ts';
import type { Queryable } from '../db/queryable.ts';
import { describeStatement } from '../telemetry/database.ts';
import type { RevokedBy } from '../telemetry/events.ts';
import { ENQUEUED, type Outbox, tellOfRevocation } from '../webhooks/outbox-store.ts';

export type GrantStatus = 'active' | 'revoked' | 'expired';

export interface Grant {
  readonly id: string;
  readonly agentId: string;
  readonly principalId: string;
  readonly developerId: string;
  readonly scopes: readonly string[];
  readonly status: GrantStatus;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
  readonly parentGrantId: string | null;
  readonly delegationDepth: number;
}

/** A grant that has run out reads `expired` although no job has touched it; $2 is the time of reading. */
const STATUS = `case when status = 'revoked' then 'revoked' when expires_at <= $2 then 'expired' else 'active' end`;
const COLUMNS = `id, agent_id as "agentId", principal_id as "principalId", developer_id as "developerId", scopes,
  ${STATUS} as status, issued_at as "issuedAt", expires_at as "expiresAt", revoked_at as "revokedAt",
  parent_grant_id as "parentGrantId", delegation_depth as "delegationDepth"`;

const byId = describeStatement({
  operation: 'SELECT',
  collection: 'grants',
  name: 'grants.by_id',
  text: `select ${COLUMNS} from grants where developer_id = $1 and id = $3`,
});

/** Undefined when the developer has no such grant. `now` decides whether it reads `expired`. */
export async function grantById(
  db: Queryable,
  developerId: string,
  id: string,
  now: Date,
): Promise<Grant | undefined> {
  const [grant] = await db.rows<Grant>(byId, [developerId, now, id]);
  return grant;
}

export interface GrantFilter {
  readonly agentId?: string | undefined;
  readonly principalId?: string | undefined;
  readonly status?: GrantStatus | undefined;
}

/** One text for each set of filters, so that each can use its own index. */
const FILTERS = [0, 1, 2, 3].map((bits) => {
  const conditions = [
    'developer_id = $1',
    bits & 1 ? 'agent_id = $3' : '$3::text is null',
    bits & 2 ? 'principal_id = $4' : '$4::text is null',
    `($5::text is null or ${STATUS} = $5)`,
  ].join(' and ');
  return {
    page: describeStatement({
      operation: 'SELECT',
      collection: 'grants',
      name: `grants.page_${bits}`,
      text: `select ${COLUMNS} from grants where ${conditions} order by issued_at desc, id desc limit $6 offset $7`,
    }),
    count: describeStatement({
      operation: 'SELECT',
      collection: 'grants',
      name: `grants.count_${bits}`,
      text: `select count(*)::int as total from grants where ${conditions}`,
    }),
  };
});

/** Newest first. */
export async function listGrants(
  db: Queryable,
  developerId: string,
  filter: GrantFilter,
  page: { limit: number; offset: number },
  now: Date,
): Promise<{ grants: Grant[]; total: number }> {
  const { agentId = null, principalId = null, status = null } = filter;
  const statements = FILTERS[(agentId === null ? 0 : 1) + (principalId === null ? 0 : 2)];
  if (!statements) throw new Error('no such set of filters');
  const values = [developerId, now, agentId, principalId, status];
  const [grants, total] = await Promise.all([
    db.rows<Grant>(statements.page, [...values, page.limit, page.offset]),
    countOf(db, statements.count, values),
  ]);
  return { grants, total };
}

/** A grant with what its principal needs to recognise it. */
export interface PrincipalGrant extends Grant {
  readonly agentName: string;
  /** When a token of the grant was last issued. */
  readonly lastUsedAt: Date | null;
}

// Every token is issued together with a refresh token, whose row has the time.
const ofPrincipal = describeStatement({
  operation: 'SELECT',
  collection: 'grants',
  name: 'grants.of_principal',
  text: `select ${COLUMNS}, (select name from agents where agents.id = grants.agent_id) as "agentName",
      (select max(refresh_tokens.issued_at) from refresh_tokens where refresh_tokens.grant_id = grants.id) as "lastUsedAt"
    from grants where developer_id = $1 and principal_id = $3
    order by ${STATUS} = 'active' desc, grants.issued_at desc, id desc limit $4`,
});
const countOfPrincipal = describeStatement({
  operation: 'SELECT',
  collection: 'grants',
  name: 'grants.count_of_principal',
  text: 'select count(*)::int as total from grants where developer_id = $1 and principal_id = $2',
});

/** What is alive comes first, then the newest. */
export async function listGrantsOfPrincipal(
  db: Queryable,
  of: { developerId: string; principalId: string; now: Date; limit: number },
): Promise<{ grants: PrincipalGrant[]; total: number }> {
  const [grants, total] = await Promise.all([
    db.rows<PrincipalGrant>(ofPrincipal, [of.developerId, of.now, of.principalId, of.limit]),
    countOf(db, countOfPrincipal, [of.developerId, of.principalId]),
  ]);
  return { grants, total };
}

const countActive = describeStatement({
  operation: 'SELECT',
  collection: 'grants',
  name: 'grants.count_active',
  text: `select count(*)::int as total from grants where status = 'active' and expires_at > $1`,
});

/** Grants that are active and not expired, of all developers. */
export const countActiveGrants = (db: Queryable, now: Date): Promise<number> =>
  countOf(db, countActive, [now]);

// Revocation first locks the roots of the trees it touches, and delegation holds a share lock on its root: so no child
// can be added to a tree between the moment when its members are collected and the moment when they are revoked.
const lockRoots = describeStatement({
  operation: 'SELECT',
  collection: 'grants',
  name: 'grants.lock_roots',
  text: `select id from grants
    where id in (select root_grant_id from grants where developer_id = $1 and (id = $2 or agent_id = $3))
    order by id for no key update`,
});

const revokeTrees = describeStatement({
  operation: 'UPDATE',
  collection: 'grants',
  name: 'grants.revoke_trees',
  text: `with recursive tree as (
      select id from grants where developer_id = $1 and (id = $2 or agent_id = $3) and status = 'active'
      union
      select child.id from grants child join tree on child.parent_grant_id = tree.id
    ),
    revoked as (
      update grants set status = 'revoked', revoked_at = $4, revoked_by = $5
      from tree where grants.id = tree.id and grants.status = 'active'
      returning grants.id, grants.developer_id, grants.agent_id, grants.parent_grant_id),
    ${tellOfRevocation({ now: '$4', seed: '$6', traceparent: '$7', maxAttempts: '$8' })}
    select id, agent_id as "agentId", parent_grant_id as "parentGrantId", ${ENQUEUED} from revoked`,
});

export interface RevokedRow {
  readonly id: string;
  readonly agentId: string;
  readonly parentGrantId: string | null;
  /** Webhook deliveries were written, of this row or another. */
  readonly enqueued: boolean;
}

/**
 * Revokes one grant, or all of one agent, with every descendant. To be run in a transaction.
 * @returns the rows that went from active to revoked; none when there was nothing to revoke
 */
export async function revokeGrantTrees(
  tx: Queryable,
  target: { developerId: string; grantId?: string; agentId?: string; now: Date; revokedBy: RevokedBy },
  outbox: Outbox,
): Promise<RevokedRow[]> {
  const { developerId, grantId = null, agentId = null, now, revokedBy } = target;
  const { seed, traceparent, maxAttempts } = outbox;
  await tx.rows(lockRoots, [developerId, grantId, agentId]);
  const values = [developerId, grantId, agentId, now, revokedBy, seed, traceparent, maxAttempts];
  return tx.rows(revokeTrees, values);
}

const tally = describeStatement({
  operation: 'INSERT',
  collection: 'removed_grants',
  name: 'grants.tally_removed',
  text: `insert into removed_grants (agent_id, developer_id, removed_at, consented, delegated, revoked, requested, refreshed)
    select $2, $1, $3, count(*) filter (where parent_grant_id is null), count(*) filter (where parent_grant_id is not null),
      count(*) filter (where status = 'revoked'),
      (select count(*) from authorization_requests where agent_id = $2),
      (select count(*) from refresh_tokens where agent_id = $2 and predecessor is not null)
    from grants where developer_id = $1 and agent_id = $2`,
});
const remove = describeStatement({
  operation: 'DELETE',
  collection: 'grants',
  name: 'grants.remove_of_agent',
  text: 'delete from grants where developer_id = $1 and agent_id = $2',
});

/**
 * Removes an agent's grants with their tokens, and notes how many there were, and how many requests and refreshes go with
 * the agent: the counters must stay explainable.
 */
export async function removeGrantsOfAgent(
  tx: Queryable,
  target: { developerId: string; agentId: string; now: Date },
): Promise<void> {
  await tx.rows(tally, [target.developerId, target.agentId, target.now]);
  await tx.rows(remove, [target.developerId, target.agentId]);
}

const ofToken = describeStatement({
  operation: 'SELECT',
  collection: 'grants',
  name: 'grants.of_token',
  text: `select grants.id as "grantId", grants.status = 'revoked' or tokens.revoked_at is not null as revoked,
      agents.status = 'suspended' as "agentSuspended", grants.expires_at as "expiresAt"
    from tokens join grants on grants.id = tokens.grant_id join agents on agents.id = grants.agent_id
    where tokens.jti = $2 and grants.developer_id = $1`,
});

/** The state of the grant that a token belongs to; undefined when the developer has no such token. */
export async function grantOfToken(
  db: Queryable,
  developerId: string,
  jti: string,
): Promise<{ grantId: string; revoked: boolean; agentSuspended: boolean; expiresAt: Date } | undefined> {
  const [row] = await db.rows<{
    grantId: string;
    revoked: boolean;
    agentSuspended: boolean;
    expiresAt: Date;
  }>(ofToken, [developerId, jti]);
  return row;
}
