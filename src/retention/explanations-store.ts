// What only tells to which time a count belongs. It goes by age, and the numbers themselves stay: each statement adds to a sum
// what it takes away.
import { bigint, int, timestamp } from '../db/column-types.ts';
import { type Query, query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { counting, tallied } from './tally-store.ts';

const params = { before: timestamp, limit: bigint };
const row = { removed: int };
const COUNT = 'select count(*)::int as removed from gone';

const removedCounts = query({
  operation: 'DELETE',
  collection: 'removed_counts',
  name: 'retention.removed_counts',
  text: `with gone as (
      delete from removed_counts where (counted, minute) in (
        select counted, minute from removed_counts where minute < $before order by minute limit $limit) returning minute)
    ${COUNT}`,
  params,
  row,
});
const removals = query({
  operation: 'DELETE',
  collection: 'removals',
  name: 'retention.removals',
  text: `with gone as (
      delete from removals where id = any(array(
        select id from removals where finished_at < $before order by finished_at limit $limit)) returning id)
    ${COUNT}`,
  params,
  row,
});
const removedGrants = query({
  operation: 'DELETE',
  collection: 'removed_grants',
  name: 'retention.removed_grants',
  text: `with gone as (
      delete from removed_grants where agent_id = any(array(
        select agent_id from removed_grants where removed_at < $before order by removed_at limit $limit
        for update skip locked))
      returning removed_at, consented, delegated, revoked, requested, refreshed),
    ${tallied(
      (['consented', 'delegated', 'revoked', 'requested', 'refreshed'] as const)
        .map((name) => counting(name, 'removed_at', 'gone', { n: name }))
        .join(' union all '),
    )}
    ${COUNT}`,
  params,
  row,
});
// Process '' is the sum.
const processCounts = query({
  operation: 'DELETE',
  collection: 'process_counts',
  name: 'retention.process_counts',
  text: `with gone as (
      delete from process_counts where (process, started_at, family, labels) in (
        select process, started_at, family, labels from process_counts where process <> '' and ended_at < $before
        order by ended_at limit $limit)
      returning family, labels, total),
    added as (
      insert into process_counts (process, started_at, ended_at, family, labels, total)
      select '', 0, 'infinity', family, labels, sum(total) from gone group by family, labels order by family, labels
      on conflict (process, started_at, family, labels) do update set total = process_counts.total + excluded.total)
    ${COUNT}`,
  params,
  row,
});

type Statement = Query<{ before: Date; limit: number }, { removed: number }>;

/** By the names of their steps: each removes up to `limit` rows of before `before`. @returns how many */
export const EXPLANATIONS: ReadonlyMap<
  string,
  (db: Queryable, before: Date, limit: number) => Promise<number>
> = new Map(
  Object.entries({ removedCounts, removals, removedGrants, processCounts }).map(
    ([, statement]: [string, Statement]) => [
      statement.name,
      async (db, before, limit) => (await db.only(statement, { before, limit })).removed,
    ],
  ),
);
