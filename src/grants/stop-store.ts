// An emergency stop: a removal of all grants of a principal, of an agent or of a developer, that were made before it.
import { int, orNull, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { removedAt } from './removal-marks-store.ts';

/** What a stop kills. A member that is null matches every grant of the developer. */
export interface StopTarget {
  readonly developerId: string;
  readonly principalId: string | null;
  readonly agentId: string | null;
}

const target = { developerId: text, principalId: orNull(text), agentId: orNull(text), now: timestamp };
const living = (grant: string) =>
  `${grant}.status = 'active' and ${grant}.expires_at > $now::timestamptz and ${removedAt(grant, '$developerId')} is null`;

/** The statements for one set of filters, so that each can use its own index. */
function statements(byPrincipal: boolean, byAgent: boolean) {
  const name = (byPrincipal ? ['principal'] : []).concat(byAgent ? ['agent'] : []).join('_and_') || 'all';
  const matching = [
    'grants.developer_id = $developerId',
    byPrincipal ? 'grants.principal_id = $principalId::text' : '$principalId::text is null',
    byAgent ? 'grants.agent_id = $agentId::text' : '$agentId::text is null',
  ].join(' and ');
  // What is delegated from a grant has its principal and its developer, but perhaps another agent.
  const count = byAgent
    ? `with recursive fallen as (
        select grants.id from grants where ${matching} and ${living('grants')}
        union
        select child.id from fallen join grants child on child.parent_grant_id = fallen.id where ${living('child')})
      select count(*)::int as total from fallen`
    : `select count(*)::int as total from grants where ${matching} and ${living('grants')}`;
  return {
    count: query({
      operation: 'SELECT',
      collection: 'grants',
      name: `grants.stoppable_${name}`,
      text: count,
      params: target,
      row: { total: int },
    }),
    // The clock of another replica may be ahead: what it has made until now is older than the stop all the same.
    stop: query({
      operation: 'INSERT',
      collection: 'removals',
      name: `grants.stop_${name}`,
      text: `with counted as materialized (${count}),
        stopped as (
          insert into removals (developer_id, principal_id, agent_id, phase, revoked_by, removed_at, issued_by, traceparent)
          select $developerId, $principalId::text, $agentId::text, 'sweep', 'developer', $now::timestamptz,
            greatest($now::timestamptz, (
              select grants.issued_at from grants where ${matching} order by grants.issued_at desc, grants.id desc limit 1)),
            $traceparent
          from counted where total > 0)
        select total from counted`,
      params: { ...target, traceparent: orNull(text) },
      row: { total: int },
    }),
  };
}
const STATEMENTS = [false, true].map((byPrincipal) =>
  [false, true].map((byAgent) => statements(byPrincipal, byAgent)),
);
const statementsOf = ({ principalId, agentId }: StopTarget) => {
  const found = STATEMENTS[Number(principalId !== null)]?.[Number(agentId !== null)];
  if (!found) throw new Error('no such set of filters');
  return found;
};

/** How many grants a stop would kill now: those that are alive, with everything delegated from them. */
export const countStoppable = async (db: Queryable, target: StopTarget & { now: Date }): Promise<number> =>
  (await db.only(statementsOf(target).count, target)).total;

const lock = query({
  operation: 'SELECT',
  collection: 'developers',
  name: 'grants.lock_stops',
  text: 'select id from developers where id = $developerId for no key update',
  params: { developerId: text },
  row: { id: text },
});

/**
 * Kills the grants at the commit of `tx`. The job finds the stop by itself. Stops of one developer take turns, so that none
 * counts what another one has killed.
 * @returns how many grants were alive
 */
export async function insertStop(
  tx: Queryable,
  stop: StopTarget & { readonly now: Date; readonly traceparent: string | null },
): Promise<number> {
  await tx.all(lock, { developerId: stop.developerId });
  return (await tx.only(statementsOf(stop).stop, stop)).total;
}
