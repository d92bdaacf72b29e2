import type { Queryable } from '../db/queryable.ts';
import { countOf } from '../db/count.ts';
import { inTurn } from '../db/in-turn.ts';
import { describeStatement } from '../telemetry/database.ts';

export type PolicyEffect = 'allow' | 'deny';

/** What a policy says; a condition that is null matches every request. */
export interface PolicyTerms {
  readonly name: string;
  readonly effect: PolicyEffect;
  /** Of several policies with one effect that match, the one with the greatest priority is named, then the oldest. */
  readonly priority: number;
  readonly agentId: string | null;
  readonly principalId: string | null;
  /** Matches when every requested scope is in it. */
  readonly scopes: readonly string[] | null;
  /** `HH:mm` UTC; the window begins with this minute. */
  readonly timeOfDayStart: string | null;
  /** `HH:mm` UTC; the window ends before this minute. */
  readonly timeOfDayEnd: string | null;
}

export interface Policy extends PolicyTerms {
  readonly id: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const COLUMNS = `id, name, effect, priority, agent_id as "agentId", principal_id as "principalId", scopes,
  to_char(time_of_day_start, 'HH24:MI') as "timeOfDayStart", to_char(time_of_day_end, 'HH24:MI') as "timeOfDayEnd",
  created_at as "createdAt", updated_at as "updatedAt"`;

/** An agent that a policy names must be the developer's own; $6 names it. */
const OWN_AGENT =
  '($6::text is null or exists (select from agents where agents.id = $6 and agents.developer_id = $1))';

const insert = describeStatement({
  operation: 'INSERT',
  collection: 'policies',
  name: 'policies.insert',
  text: `insert into policies (developer_id, id, name, effect, priority, agent_id, principal_id, scopes,
      time_of_day_start, time_of_day_end, created_at, updated_at)
    select $1, $2, $3, $4, $5::int, $6, $7, $8::text[], $9::time, $10::time, $11::timestamptz, $11::timestamptz
    where ${OWN_AGENT} and (select count(*) from policies where developer_id = $1) < $12::int returning ${COLUMNS}`,
});
const count = describeStatement({
  operation: 'SELECT',
  collection: 'policies',
  name: 'policies.count',
  text: 'select count(*)::int as total from policies where developer_id = $1',
});
const list = describeStatement({
  operation: 'SELECT',
  collection: 'policies',
  name: 'policies.list',
  text: `select ${COLUMNS} from policies where developer_id = $1 order by priority desc, created_at, id`,
});
const byId = describeStatement({
  operation: 'SELECT',
  collection: 'policies',
  name: 'policies.by_id',
  text: `select ${COLUMNS} from policies where developer_id = $1 and id = $2`,
});
// null is a value that a condition can be given, so what is to be changed is listed by name in $12.
const update = describeStatement({
  operation: 'UPDATE',
  collection: 'policies',
  name: 'policies.update',
  text: `update policies set name = coalesce($3, name), effect = coalesce($4, effect), priority = coalesce($5, priority),
      agent_id = case when 'agentId' = any($12::text[]) then $6 else agent_id end,
      principal_id = case when 'principalId' = any($12) then $7 else principal_id end,
      scopes = case when 'scopes' = any($12) then $8 else scopes end,
      time_of_day_start = case when 'timeOfDayStart' = any($12) then $9 else time_of_day_start end,
      time_of_day_end = case when 'timeOfDayEnd' = any($12) then $10 else time_of_day_end end,
      updated_at = greatest($11, updated_at)
    where developer_id = $1 and id = $2 and ${OWN_AGENT} returning ${COLUMNS}`,
});
const remove = describeStatement({
  operation: 'DELETE',
  collection: 'policies',
  name: 'policies.remove',
  text: 'delete from policies where developer_id = $1 and id = $2 returning id',
});

interface Target {
  readonly developerId: string;
  readonly id: string;
  readonly now: Date;
}

const valuesOf = ({ developerId, id, now }: Target, terms: Partial<PolicyTerms>): unknown[] => [
  developerId,
  id,
  terms.name ?? null,
  terms.effect ?? null,
  terms.priority ?? null,
  terms.agentId ?? null,
  terms.principalId ?? null,
  terms.scopes ?? null,
  terms.timeOfDayStart ?? null,
  terms.timeOfDayEnd ?? null,
  now,
];

/**
 * To be run in a transaction: of several at once, no more are let in than there is room for.
 * @returns undefined when the policy names an agent that is not the developer's, or there are `limit` policies already
 */
export async function insertPolicy(
  tx: Queryable,
  target: Target,
  terms: PolicyTerms,
  limit: number,
): Promise<Policy | undefined> {
  await inTurn(tx, `policies of ${target.developerId}`);
  const [policy] = await tx.rows<Policy>(insert, [...valuesOf(target, terms), limit]);
  return policy;
}

/** How many policies a developer has. */
export const countPolicies = (db: Queryable, developerId: string): Promise<number> =>
  countOf(db, count, [developerId]);

/** By priority, the greatest first, then by age, the oldest first. */
export const listPolicies = (db: Queryable, developerId: string): Promise<Policy[]> =>
  db.rows(list, [developerId]);

/** Undefined when the developer has no such policy. */
export async function policyById(
  db: Queryable,
  developerId: string,
  id: string,
): Promise<Policy | undefined> {
  const [policy] = await db.rows<Policy>(byId, [developerId, id]);
  return policy;
}

/** What of a policy is to be changed: a member that is absent or undefined stays, null clears a condition. */
export type PolicyChange = { readonly [K in keyof PolicyTerms]?: PolicyTerms[K] | undefined };

/** @returns undefined when there is no such policy, or when it is to name an agent that is not the developer's */
export async function updatePolicy(
  db: Queryable,
  target: Target,
  change: PolicyChange,
): Promise<Policy | undefined> {
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  const values = valuesOf(target, Object.fromEntries(given));
  const [policy] = await db.rows<Policy>(update, [...values, given.map(([name]) => name)]);
  return policy;
}

/** @returns whether there was such a policy */
export async function removePolicy(db: Queryable, developerId: string, id: string): Promise<boolean> {
  return (await db.rows(remove, [developerId, id])).length === 1;
}
