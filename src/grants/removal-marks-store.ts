import { bool, orNull, text, textOf, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { RevokedBy } from '../telemetry/event-fields.ts';

// A removal kills many grants with one row, at its commit: those that match it, and everything delegated from them. Statements
// that ask whether a grant is alive ask for such a row too. A job (`work-off-removals.ts`) then revokes the grants one by one.

/**
 * SQL: since when a grant is dead by a removal; null: it is not. Where a developer has no removal, which is nearly always, it
 * costs one look into an index; else it goes up from the grant to the root of its tree.
 * @param grant alias of a row of `grants`
 * @param developerId an expression for its developer
 */
export const removedAt = (grant: string, developerId: string): string =>
  `case when ${hasRemoval(developerId)} then ${timeOfRemoval(grant, developerId)} end`;

/**
 * SQL: whether no removal has killed a grant. The same as `removedAt(…) is null`, of which the planner believes that nearly no
 * row passes. It would then sort all rows of a developer for a page of a list.
 */
export const notRemoved = (grant: string, developerId: string): string =>
  `case when ${hasRemoval(developerId)} then ${timeOfRemoval(grant, developerId)} is null else true end`;

/** SQL: whether a developer has a removal that is not worked off. */
export const hasRemoval = (developerId: string) =>
  `exists (select from removals where removals.developer_id = ${developerId} and finished_at is null)`;
const timeOfRemoval = (grant: string, developerId: string) => `(
      with recursive line as (
        select ${grant}.id, ${grant}.agent_id, ${grant}.principal_id, ${grant}.issued_at, ${grant}.parent_grant_id
        union all
        select above.id, above.agent_id, above.principal_id, above.issued_at, above.parent_grant_id
        from line join grants above on above.id = line.parent_grant_id)
      select min(removals.removed_at) from line join removals on removals.developer_id = ${developerId}
        and finished_at is null and line.issued_at <= removals.issued_by
        and line.id = coalesce(removals.grant_id, line.id) and line.agent_id = coalesce(removals.agent_id, line.agent_id)
        and line.principal_id = coalesce(removals.principal_id, line.principal_id))`;

/** What a removal kills. A member that is null matches every grant of the developer. */
export interface Removal {
  readonly developerId: string;
  readonly agentId: string | null;
  readonly principalId: string | null;
  readonly grantId: string | null;
  /** The agent goes with it, once none of its grants is left. */
  readonly removesAgent: boolean;
  readonly revokedBy: RevokedBy;
  readonly removedAt: Date;
  /** Of the span of the request. */
  readonly traceparent: string | null;
}

const insert = query({
  operation: 'INSERT',
  collection: 'removals',
  name: 'removals.insert',
  text: `insert into removals (developer_id, agent_id, principal_id, grant_id, removes_agent, revoked_by, removed_at,
      traceparent)
    select $developerId, $agentId::text, $principalId::text, $grantId::text, $removesAgent::boolean, $revokedBy,
      $removedAt::timestamptz, $traceparent
    where $grantId is null or exists (
      select from grants where id = $grantId and status = 'active' and ${removedAt('grants', '$developerId')} is null)
    returning id::text as id`,
  params: {
    developerId: text,
    agentId: orNull(text),
    principalId: orNull(text),
    grantId: orNull(text),
    removesAgent: bool,
    revokedBy: textOf<RevokedBy>(),
    removedAt: timestamp,
    traceparent: orNull(text),
  },
  row: { id: text },
});

/**
 * Kills the grants at the commit of `tx`. The job finds the removal by itself. Of two at the same moment for one grant, the later
 * one returns false only if both took the lock of its root in an earlier statement. Otherwise both are stored, which does no harm:
 * the job revokes each grant once.
 * @returns false when the grant is dead already
 */
export const insertRemoval = async (tx: Queryable, removal: Removal): Promise<boolean> =>
  (await tx.first(insert, removal)) !== undefined;
