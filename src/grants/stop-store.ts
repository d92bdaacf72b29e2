// An emergency stop: a removal of all grants of a principal, of an agent or of a developer, that were made before it.
import { bool, int, orNull, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { takeTurn } from '../db/take-turn.ts';
import { removedAt } from './removal-marks-store.ts';

/** What a stop kills. A member that is null matches every grant of the developer. */
export interface StopTarget {
  readonly developerId: string;
  readonly principalId: string | null;
  readonly agentId: string | null;
}

const target = { developerId: text, principalId: orNull(text), agentId: orNull(text), now: timestamp };
const counted = { total: int, isEstimate: bool };

/** How many grants were alive. */
export interface Stoppable {
  readonly total: number;
  /** There are at least so many: not all of them were judged. */
  readonly isEstimate: boolean;
}

/** Grants that look alive, and may yet be dead by a removal that the job has not worked off. */
const candidate = (grant: string) => `${grant}.status = 'active' and ${grant}.expires_at > $now::timestamptz`;
const SHAPE = (grant: string) =>
  ['id', 'agent_id', 'principal_id', 'issued_at', 'parent_grant_id']
    .map((name) => `${grant}.${name}`)
    .join(', ');
/**
 * SQL: how many candidates are judged. A stop must end in time, whatever it kills. To judge a grant beside a removal that is not
 * worked off takes ten times longer than without one.
 */
const JUDGED = `(select case when exists (
        select from removals where developer_id = $developerId and finished_at is null) then 10000 else 100000 end)`;

/** The statements for one set of filters, so that each can use its own index. */
function statements(byPrincipal: boolean, byAgent: boolean) {
  const name = (byPrincipal ? ['principal'] : []).concat(byAgent ? ['agent'] : []).join('_and_') || 'all';
  const matching = [
    'grants.developer_id = $developerId',
    byPrincipal ? 'grants.principal_id = $principalId::text' : '$principalId::text is null',
    byAgent ? 'grants.agent_id = $agentId::text' : '$agentId::text is null',
  ].join(' and ');
  const named = `select ${SHAPE('grants')} from grants where ${matching} and ${candidate('grants')}`;
  // What is delegated from a grant has its principal and its developer, but perhaps another agent.
  const fallen = byAgent
    ? `with recursive fallen as (
          ${named}
          union
          select ${SHAPE('child')} from fallen join grants child on child.parent_grant_id = fallen.id and ${candidate('child')})
        select * from fallen`
    : named;
  const count = `select least(count(*) filter (where ${removedAt('fallen', '$developerId')} is null), ${JUDGED})::int as total,
      count(*) > ${JUDGED} as "isEstimate"
    from (${fallen} limit ${JUDGED} + 1) as fallen`;
  return {
    count: query({
      operation: 'SELECT',
      collection: 'grants',
      name: `grants.stoppable_${name}`,
      text: count,
      params: target,
      row: counted,
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
          from counted where total > 0 or "isEstimate")
        select * from counted`,
      params: { ...target, traceparent: orNull(text) },
      row: counted,
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
export const countStoppable = (db: Queryable, target: StopTarget & { now: Date }): Promise<Stoppable> =>
  db.only(statementsOf(target).count, target);

/**
 * Kills the grants at the commit of `tx`. The job finds the stop by itself. Stops of one developer take turns, so that none
 * counts what another one has killed.
 */
export async function insertStop(
  tx: Queryable,
  stop: StopTarget & { readonly now: Date; readonly traceparent: string | null },
): Promise<Stoppable> {
  await takeTurn(tx, `stops of ${stop.developerId}`);
  return tx.only(statementsOf(stop).stop, stop);
}
