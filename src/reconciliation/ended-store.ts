// What processes had counted when they ended in order. Each leaves its numbers once; `retention` adds up old ones.
import { float, json, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';

/** One process, for ever: an id that was set by hand outlives it, and the time of its start does not. */
export interface ProcessKey {
  /** `service.instance.id`. */
  readonly id: string;
  /** `process_start_time_seconds`, exactly as the process reports it. */
  readonly startedAt: number;
}

/** A counter at the end; `labels` is JSON as `lines.ts` writes it. */
export interface LastCount {
  readonly family: string;
  readonly labels: string;
  readonly total: number;
}

const collection = 'process_counts';
const insert = query({
  operation: 'INSERT',
  collection,
  name: 'reconciliation.leave_counts',
  text: `insert into process_counts (process, started_at, ended_at, family, labels, total)
    select $id, $startedAt, $endedAt, family, labels, total
    from jsonb_to_recordset($counts::text::jsonb) as counts (family text, labels text, total bigint)
    on conflict do nothing`,
  params: { id: text, startedAt: float, endedAt: timestamp, counts: text },
  row: {},
});
// One statement: a process and its counts are both there, or neither.
const left = query({
  operation: 'SELECT',
  collection,
  name: 'reconciliation.left_counts',
  text: `select
      (select coalesce(json_agg(summed), '[]') from (
        select family, labels, sum(total) as total from process_counts group by family, labels) summed) as counts,
      (select coalesce(json_agg(known), '[]') from (
        select distinct process as id, started_at as "startedAt" from process_counts where process <> '') known) as processes`,
  params: {},
  row: { counts: json<readonly LastCount[]>(), processes: json<readonly ProcessKey[]>() },
});

/** Keeps what a process has counted in all. It must count nothing afterwards. */
export async function leaveCounts(
  db: Queryable,
  process: ProcessKey & { readonly endedAt: Date; readonly counts: readonly LastCount[] },
): Promise<void> {
  await db.all(insert, { ...process, counts: JSON.stringify(process.counts) });
}

/** The sums over all processes that have ended in order, and those of them that ended not too long ago. */
export const readLeft = (
  db: Queryable,
): Promise<{ readonly counts: readonly LastCount[]; readonly processes: readonly ProcessKey[] }> =>
  db.only(left, {});
