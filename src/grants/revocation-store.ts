import { bool, int, orNull, text, textOf, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { timed } from '../db/removed-counts.ts';
import { ANY_ENQUEUED, deliveriesOfRevocation, type Outbox } from '../events/outbox-store.ts';
import type { RevokedBy } from '../telemetry/event-fields.ts';
import { removedAt } from './removal-marks-store.ts';

/** A request revokes at most so many grants; a removal kills what is more. */
export const MOST_IN_A_REQUEST = 1000;

const named = { developerId: text, grantId: orNull(text), agentId: orNull(text) };
/** A grant that is dead by a removal cannot be revoked again, but it goes with its agent. */
const TOPMOST = `developer_id = $developerId and status = 'active' and (agent_id = $agentId
        or (id = $grantId and ${removedAt('grants', '$developerId')} is null))`;

// Revocation first locks the roots of its trees, and delegation holds a share lock on its root. So no delegation can
// add a child to a tree between the collection of its members and their revocation.
const lockRoots = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'grants.lock_roots',
  text: `select id, (
      with recursive tree as (
        select id from grants where ${TOPMOST} and id = $grantId
        union
        select child.id from grants child join tree on child.parent_grant_id = tree.id where child.status = 'active')
      select count(*) from (select from tree limit ${MOST_IN_A_REQUEST + 1}) counted) > ${MOST_IN_A_REQUEST} as "tooMany"
    from grants
    where id in (
      select root_grant_id from grants where developer_id = $developerId and (id = $grantId or agent_id = $agentId))
    order by id for no key update`,
  params: named,
  row: { id: text, tooMany: bool },
});

const revokeTrees = query({
  operation: 'UPDATE',
  collection: 'grants',
  name: 'grants.revoke_trees',
  text: `with recursive tree as (
      select id from grants
      where ${TOPMOST}
      union
      select child.id from grants child join tree on child.parent_grant_id = tree.id
    ),
    revoked as (
      update grants set status = 'revoked', revoked_at = $now, revoked_by = $revokedBy
      from tree where grants.id = tree.id and grants.status = 'active'
      returning grants.id, grants.developer_id, grants.agent_id, grants.parent_grant_id),
    ${deliveriesOfRevocation({
      id: 'id',
      developerId: 'developer_id',
      agentId: 'agent_id',
      parentGrantId: 'parent_grant_id',
      seed: '$seed::text',
      now: '$now::timestamptz',
      traceparent: '$traceparent::text',
      maxAttempts: '$maxAttempts::int',
      from: 'revoked',
    })}
    select id, agent_id as "agentId", parent_grant_id as "parentGrantId", ${ANY_ENQUEUED} as enqueued from revoked`,
  params: {
    ...named,
    now: timestamp,
    revokedBy: textOf<RevokedBy>(),
    seed: text,
    traceparent: orNull(text),
    maxAttempts: int,
  },
  row: { id: text, agentId: text, parentGrantId: orNull(text), enqueued: bool },
});

export interface RevokedRow {
  readonly id: string;
  readonly agentId: string;
  readonly parentGrantId: string | null;
  /** The statement wrote webhook deliveries, for this row or another one. */
  readonly enqueued: boolean;
}

/** Locks the tree of a grant until `tx` ends: revocations of it take turns. */
export async function lockTree(
  tx: Queryable,
  grant: { developerId: string; grantId: string },
): Promise<void> {
  await tx.all(lockRoots, { ...grant, agentId: null });
}

/**
 * Revokes one grant, or all grants of one agent, with every descendant. Run it in a transaction.
 * @returns the rows that changed from active to revoked, none when there was nothing to revoke; null: the grant has more than
 * `MOST_IN_A_REQUEST` descendants, and nothing was changed
 */
export async function revokeGrantTrees(
  tx: Queryable,
  revocation: { developerId: string; grantId?: string; agentId?: string; now: Date; revokedBy: RevokedBy },
  outbox: Outbox,
): Promise<RevokedRow[] | null> {
  const { developerId, grantId = null, agentId = null, now, revokedBy } = revocation;
  const roots = await tx.all(lockRoots, { developerId, grantId, agentId });
  if (roots.some(({ tooMany }) => tooMany)) return null;
  return tx.all(revokeTrees, { developerId, grantId, agentId, now, revokedBy, ...outbox });
}

const OF_AGENT = 'from grants where developer_id = $developerId and agent_id = $agentId';
const TIMES = [
  `select case when parent_grant_id is null then 'consented' else 'delegated' end, issued_at, 1 ${OF_AGENT}`,
  `select 'revoked', revoked_at, 1 ${OF_AGENT} and status = 'revoked'`,
  `select 'requested', created_at, 1 from authorization_requests where agent_id = $agentId`,
  `select 'refreshed', issued_at, 1 + repeats from refresh_tokens where agent_id = $agentId and predecessor is not null`,
].join(' union all ');
const tally = query({
  operation: 'INSERT',
  collection: 'removed_grants',
  name: 'grants.tally_removed',
  text: `with ${timed(TIMES)}
    insert into removed_grants (agent_id, developer_id, removed_at, consented, delegated, revoked, requested, refreshed)
    select $agentId, $developerId, $now, count(*) filter (where parent_grant_id is null),
      count(*) filter (where parent_grant_id is not null), count(*) filter (where status = 'revoked'),
      (select count(*) from authorization_requests where agent_id = $agentId),
      (select coalesce(sum(1 + repeats), 0) from refresh_tokens where agent_id = $agentId and predecessor is not null)
    ${OF_AGENT}`,
  params: { developerId: text, agentId: text, now: timestamp },
  row: {},
});
const remove = query({
  operation: 'DELETE',
  collection: 'grants',
  name: 'grants.remove_of_agent',
  text: 'delete from grants where developer_id = $developerId and agent_id = $agentId',
  params: { developerId: text, agentId: text },
  row: {},
});

/**
 * Removes an agent's grants with their tokens. It records the number of grants, and of the requests and refreshes that
 * go with the agent, so that the counters remain explainable.
 */
export async function removeGrantsOfAgent(
  tx: Queryable,
  { developerId, agentId, now }: { developerId: string; agentId: string; now: Date },
): Promise<void> {
  await tx.all(tally, { developerId, agentId, now });
  await tx.all(remove, { developerId, agentId });
}
