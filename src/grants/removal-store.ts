// The steps of the job that works off removals. Each is a short transaction, and none waits for a grant that a request holds.
import { bigint, bool, int, orNull, text, textOf, texts, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { ANY_ENQUEUED, deliveriesOfRemoval } from '../events/outbox-store.ts';
import type { RevokedBy } from '../telemetry/event-fields.ts';
import type { RevokedRow } from './revocation-store.ts';

/** A removal whose turn it is. */
export interface OpenRemoval {
  readonly id: string;
  readonly developerId: string;
  readonly agentId: string | null;
  readonly grantId: string | null;
  /** The principal of a stop (`stop-store.ts`); null: it has none. */
  readonly principalId: string | null;
  /** `sweep`: a stop collects. */
  readonly phase: 'collect' | 'sweep' | 'expand' | 'revoke' | 'purge';
  readonly removesAgent: boolean;
  readonly revokedBy: RevokedBy;
  readonly removedAt: Date;
  readonly traceparent: string | null;
}

const collection = 'removals';
// Other replicas pass over a removal while one works at it.
const next = query({
  operation: 'UPDATE',
  collection,
  name: 'removals.next',
  text: `update removals set worked_at = clock_timestamp()
    where id = (select id from removals where finished_at is null and worked_at < clock_timestamp()
      order by worked_at limit 1 for update skip locked)
    returning id::text as id, developer_id as "developerId", agent_id as "agentId", grant_id as "grantId",
      principal_id as "principalId", phase,
      removes_agent as "removesAgent", revoked_by as "revokedBy", removed_at as "removedAt", traceparent`,
  params: {},
  row: {
    id: text,
    developerId: text,
    agentId: orNull(text),
    grantId: orNull(text),
    principalId: orNull(text),
    phase: textOf<OpenRemoval['phase']>(),
    removesAgent: bool,
    revokedBy: textOf<RevokedBy>(),
    removedAt: timestamp,
    traceparent: orNull(text),
  },
});

const step = { id: text, limit: bigint };
const REMOVAL = 'removal as materialized (select * from removals where id = $id::text::bigint)';
/**
 * One text for each kind of removal, so that each can use its own index. The order is that of these indexes. The planner does not
 * see the value of the limit: it takes a developer for an average one, who has fewer rows, and would read and sort all of them.
 */
const collectBy = (kind: string, conditions: string) =>
  query({
    operation: 'INSERT',
    collection: 'removal_grants',
    name: `removals.collect_${kind}`,
    text: `with ${REMOVAL},
      found as materialized (
        select found.* from removal cross join lateral (
          select grants.id, grants.status, grants.expires_at, grants.issued_at from grants
          where grants.developer_id = removal.developer_id and ${conditions}
            and grants.issued_at <= removal.issued_by
            and (grants.issued_at, grants.id) < (removal.after_issued_at, removal.after_id)
          order by grants.issued_at desc, grants.id desc limit (select $limit::bigint)) found),
      collected as (
        insert into removal_grants (removal_id, grant_id, expires_at)
        select $id::text::bigint, id, expires_at from found where status = 'active' order by id on conflict do nothing)
      update removals set
        after_issued_at = coalesce((select issued_at from found order by issued_at, id limit 1), after_issued_at),
        after_id = coalesce((select id from found order by issued_at, id limit 1), after_id),
        phase = case when (select count(*) from found) < $limit then 'expand' else phase end
      where id = $id::text::bigint`,
    params: step,
    row: {},
  });
const collectGrant = collectBy('grant', 'grants.id = removal.grant_id');
const collectAgent = collectBy('agent', 'grants.agent_id = removal.agent_id');
const collectPrincipal = collectBy(
  'principal',
  'grants.principal_id = removal.principal_id and grants.agent_id = coalesce(removal.agent_id, grants.agent_id)',
);
const collectAll = collectBy('all', 'true');

const expand = query({
  operation: 'INSERT',
  collection: 'removal_grants',
  name: 'removals.expand',
  text: `with ${REMOVAL},
    parents as materialized (
      select removal_grants.seq, removal_grants.grant_id from removal join removal_grants on removal_id = removal.id
      where removal_id = $id::text::bigint and seq > removal.expanded order by seq limit $limit),
    collected as (
      insert into removal_grants (removal_id, grant_id, expires_at)
      select $id::text::bigint, child.id, child.expires_at from parents join grants child on child.parent_grant_id = parents.grant_id
      where child.status = 'active' order by child.id on conflict do nothing)
    update removals set expanded = coalesce((select max(seq) from parents), expanded),
      phase = case when (select count(*) from parents) = 0 then 'revoke' else phase end
    where id = $id::text::bigint`,
  params: step,
  row: {},
});

const lockSome = query({
  operation: 'SELECT',
  collection: 'grants',
  name: 'removals.lock_grants',
  text: `select grants.id from removal_grants join grants on grants.id = removal_grants.grant_id
    where removal_id = $id::text::bigint and grants.status = 'active'
    order by seq limit $limit for update of grants skip locked`,
  params: step,
  row: { id: text },
});
// A delegation that was under way when the removal was committed may have added a child since. Its parents are locked now, so
// no further one can come.
const expandLocked = query({
  operation: 'INSERT',
  collection: 'removal_grants',
  name: 'removals.expand_locked',
  text: `insert into removal_grants (removal_id, grant_id, expires_at)
    select $id::text::bigint, id, expires_at from grants
    where parent_grant_id = any($ids::text[]) and status = 'active' order by id on conflict do nothing`,
  params: { id: text, ids: texts },
  row: {},
});
const revoke = query({
  operation: 'UPDATE',
  collection: 'grants',
  name: 'removals.revoke',
  text: `with falling as materialized (
      select id, exists (select from grants child where child.parent_grant_id = grants.id and child.status = 'active')
        or exists (select from grants above where above.id = grants.parent_grant_id
          and (above.id = any($ids::text[]) or above.revoked_at = $removedAt)) as cascade
      from grants where id = any($ids::text[])),
    revoked as (
      update grants set status = 'revoked', revoked_at = $removedAt, revoked_by = $revokedBy
      from falling where grants.id = any($ids::text[]) and grants.id = falling.id and grants.status = 'active'
      returning grants.id, grants.developer_id, grants.agent_id, grants.parent_grant_id, falling.cascade),
    ${deliveriesOfRemoval({
      id: 'id',
      developerId: 'developer_id',
      agentId: 'agent_id',
      cascade: 'revoked.cascade',
      seed: '$seed::text',
      now: '$now::timestamptz',
      traceparent: '$traceparent::text',
      maxAttempts: '$maxAttempts::int',
      from: 'revoked',
    })},
    counted as (
      update removals set revoked = revoked + (select count(*) from revoked) where id = $id::text::bigint)
    select id, agent_id as "agentId", parent_grant_id as "parentGrantId", ${ANY_ENQUEUED} as enqueued from revoked`,
  params: {
    id: text,
    ids: texts,
    removedAt: timestamp,
    revokedBy: textOf<RevokedBy>(),
    seed: text,
    now: timestamp,
    traceparent: orNull(text),
    maxAttempts: int,
  },
  row: { id: text, agentId: text, parentGrantId: orNull(text), enqueued: bool },
});
// Revocations by requests take their grants out by themselves, except one that was under way when a grant was collected.
const forget = query({
  operation: 'DELETE',
  collection: 'removal_grants',
  name: 'removals.forget',
  text: `delete from removal_grants where removal_id = $id::text::bigint
    and not exists (select from grants where grants.id = grant_id and status = 'active')`,
  params: { id: text },
  row: {},
});
// A stop keeps no request from making a grant. What began before it may be committed after its grants were found. So it ends only
// when every such request has ended, and after a last look; until then such a grant is dead by its mark.
const STOP_SETTLES = "interval '10 seconds'";
const IS_STOP = 'grant_id is null and not removes_agent';
const sweepAgain = query({
  operation: 'UPDATE',
  collection,
  name: 'removals.sweep_again',
  text: `update removals set worked_at = clock_timestamp() + interval '1 second',
      phase = case when due then 'sweep' else phase end,
      after_issued_at = case when due then 'infinity' else after_issued_at end,
      after_id = case when due then '' else after_id end
    from (select removed_at + ${STOP_SETTLES} < clock_timestamp() as due from removals where id = $id::text::bigint) as now
    where id = $id::text::bigint and ${IS_STOP} and (not due or exists (
      select from grants where grants.developer_id = removals.developer_id and grants.status = 'active'
        and grants.issued_at <= removals.issued_by
        and grants.agent_id = coalesce(removals.agent_id, grants.agent_id)
        and grants.principal_id = coalesce(removals.principal_id, grants.principal_id)))
    returning id::text as id`,
  params: { id: text },
  row: { id: text },
});
const endRevoking = query({
  operation: 'UPDATE',
  collection,
  name: 'removals.end_revoking',
  text: `update removals set phase = 'purge',
      finished_at = case when not removes_agent then clock_timestamp() end
    where id = $id::text::bigint and not exists (select from removal_grants where removal_id = $id::text::bigint)
    returning id::text as id`,
  params: { id: text },
  row: { id: text },
});

/** Takes the removal that has waited longest, until `tx` ends; undefined: there is none, or others work at all of them. */
export const nextRemoval = (tx: Queryable): Promise<OpenRemoval | undefined> => tx.first(next, {});

/** Finds up to `limit` more of the grants that match the removal; the phase ends with the last. */
export async function collectGrants(
  tx: Queryable,
  { id, grantId, principalId, agentId }: OpenRemoval,
  limit: number,
): Promise<void> {
  const ofStop = principalId === null ? collectAll : collectPrincipal;
  const ofMany = agentId === null || principalId !== null ? ofStop : collectAgent;
  await tx.all(grantId === null ? ofMany : collectGrant, { id, limit });
}

/** Finds what was delegated from up to `limit` of the grants that were found; the phase ends when there is no more. */
export async function expandGrants(tx: Queryable, { id }: OpenRemoval, limit: number): Promise<void> {
  await tx.all(expand, { id, limit });
}

/**
 * Revokes up to `limit` of the grants that were found, and tells the webhooks.
 * @returns the rows that changed from active to revoked; null: there are none left for now, or the phase has ended
 */
export async function revokeFound(
  tx: Queryable,
  removal: OpenRemoval,
  { limit, ...told }: { limit: number; now: Date; seed: string; maxAttempts: number },
): Promise<RevokedRow[] | null> {
  const { id, removedAt, revokedBy, traceparent } = removal;
  const ids = (await tx.all(lockSome, { id, limit })).map((grant) => grant.id);
  if (ids.length === 0) {
    await tx.all(forget, { id });
    if (await tx.first(sweepAgain, { id })) return null;
    return (await tx.first(endRevoking, { id })) ? null : [];
  }
  await tx.all(expandLocked, { id, ids });
  return tx.all(revoke, { id, ids, removedAt, revokedBy, traceparent, ...told });
}
