import { bool, int, orNull, text, textOf, texts, timeOfDay, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { takeTurn } from '../db/take-turn.ts';

export type PolicyEffect = 'allow' | 'deny';

/** The content of a policy. A condition that is null matches every request. */
export interface PolicyTerms {
  readonly name: string;
  readonly effect: PolicyEffect;
  /** Among matching policies with the same effect, the one with the greatest priority is named, then the oldest. */
  readonly priority: number;
  readonly agentId: string | null;
  readonly principalId: string | null;
  /** Matches when it contains every requested scope. */
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
const effect = textOf<PolicyEffect>();
const row = {
  id: text,
  name: text,
  effect,
  priority: int,
  agentId: orNull(text),
  principalId: orNull(text),
  scopes: orNull(texts),
  timeOfDayStart: orNull(text),
  timeOfDayEnd: orNull(text),
  createdAt: timestamp,
  updatedAt: timestamp,
};
const key = { developerId: text, id: text };
const conditions = {
  agentId: orNull(text),
  principalId: orNull(text),
  scopes: orNull(texts),
  timeOfDayStart: orNull(timeOfDay),
  timeOfDayEnd: orNull(timeOfDay),
};

/** An agent that a policy names must belong to the developer. */
const OWN_AGENT = `($agentId::text is null
      or exists (select from agents where agents.id = $agentId and agents.developer_id = $developerId
        and removed_at is null))`;

// One query tells why nothing was stored: the agent does not belong to the developer, or the limit is reached.
const insert = query({
  operation: 'INSERT',
  collection: 'policies',
  name: 'policies.insert',
  text: `with asked as materialized (
      select ${OWN_AGENT} as "ownAgent",
        (select count(*) from policies where developer_id = $developerId) < $limit::int as "hasRoom"),
    stored as (
      insert into policies (developer_id, id, name, effect, priority, agent_id, principal_id, scopes,
        time_of_day_start, time_of_day_end, created_at, updated_at)
      select $developerId, $id, $name, $effect, $priority::int, $agentId, $principalId, $scopes::text[],
        $timeOfDayStart::time, $timeOfDayEnd::time, $now::timestamptz, $now::timestamptz
      from asked where "ownAgent" and "hasRoom")
    select "ownAgent", "hasRoom" from asked`,
  params: { ...key, name: text, effect, priority: int, ...conditions, now: timestamp, limit: int },
  row: { ownAgent: bool, hasRoom: bool },
});
const list = query({
  operation: 'SELECT',
  collection: 'policies',
  name: 'policies.list',
  text: `select ${COLUMNS} from policies where developer_id = $developerId order by priority desc, created_at, id`,
  params: { developerId: text },
  row,
});
const byId = query({
  operation: 'SELECT',
  collection: 'policies',
  name: 'policies.by_id',
  text: `select ${COLUMNS} from policies where developer_id = $developerId and id = $id`,
  params: key,
  row,
});
// null is a valid value of a condition, so $changed lists the names of the columns to change.
const update = query({
  operation: 'UPDATE',
  collection: 'policies',
  name: 'policies.update',
  text: `update policies set name = coalesce($name, name), effect = coalesce($effect, effect),
      priority = coalesce($priority, priority),
      agent_id = case when 'agentId' = any($changed::text[]) then $agentId else agent_id end,
      principal_id = case when 'principalId' = any($changed) then $principalId else principal_id end,
      scopes = case when 'scopes' = any($changed) then $scopes else scopes end,
      time_of_day_start = case when 'timeOfDayStart' = any($changed) then $timeOfDayStart else time_of_day_start end,
      time_of_day_end = case when 'timeOfDayEnd' = any($changed) then $timeOfDayEnd else time_of_day_end end,
      updated_at = greatest($now, updated_at)
    where developer_id = $developerId and id = $id and ${OWN_AGENT} returning ${COLUMNS}`,
  params: {
    ...key,
    name: orNull(text),
    effect: orNull(effect),
    priority: orNull(int),
    ...conditions,
    now: timestamp,
    changed: texts,
  },
  row,
});
const remove = query({
  operation: 'DELETE',
  collection: 'policies',
  name: 'policies.remove',
  text: 'delete from policies where developer_id = $developerId and id = $id returning id',
  params: key,
  row: { id: text },
});

/** Identifies a policy that must belong to this developer. */
export interface PolicyKey {
  readonly developerId: string;
  readonly id: string;
}

/**
 * Stores a policy, unless the developer already has `limit` policies or the policy names an agent of another developer.
 * Run it in a transaction: concurrent calls then stay within the limit.
 */
export async function insertPolicy(
  tx: Queryable,
  policy: PolicyKey & PolicyTerms & { readonly now: Date },
  limit: number,
): Promise<{ readonly ownAgent: boolean; readonly hasRoom: boolean }> {
  await takeTurn(tx, `policies of ${policy.developerId}`);
  return tx.only(insert, { ...policy, limit });
}

/** The greatest priority first, then the oldest first. */
export const listPolicies = (db: Queryable, developerId: string): Promise<Policy[]> =>
  db.all(list, { developerId });

/** Undefined when the developer has no such policy. */
export const policyById = (db: Queryable, policy: PolicyKey): Promise<Policy | undefined> =>
  db.first(byId, policy);

/** The members of a policy that change. An absent or undefined member stays as it is; null clears a condition. */
export type PolicyChange = { readonly [K in keyof PolicyTerms]?: PolicyTerms[K] | undefined };

/** @returns undefined when there is no such policy, or when its new agent does not belong to the developer */
export function updatePolicy(
  db: Queryable,
  policy: PolicyKey,
  change: PolicyChange,
  now: Date,
): Promise<Policy | undefined> {
  const { name = null, effect: changedEffect = null, priority = null, agentId = null } = change;
  const { principalId = null, scopes = null, timeOfDayStart = null, timeOfDayEnd = null } = change;
  const changed = Object.entries(change).flatMap(([member, value]) => (value === undefined ? [] : member));
  const terms = { name, effect: changedEffect, priority, agentId, principalId, scopes };
  return db.first(update, { ...policy, ...terms, timeOfDayStart, timeOfDayEnd, now, changed });
}

/** @returns whether the policy existed */
export const removePolicy = async (db: Queryable, policy: PolicyKey): Promise<boolean> =>
  (await db.first(remove, policy)) !== undefined;
