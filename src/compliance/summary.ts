import type { Developer } from '../caller.ts';
import type { Queryable } from '../db/queryable.ts';
import { countEntries, countFew, countGrants } from './store.ts';

/** Rows of one statement: some ten milliseconds of work. */
const AT_ONCE = 20_000;

/** What a report is about. */
export interface Period {
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  /** The time of the report. What comes after it is not in it, and it decides whether a grant reads `expired`. */
  readonly now: Date;
  /** Ends the work between two statements. */
  readonly signal?: AbortSignal | undefined;
}

export const endOf = ({ until, now }: Period): Date => (until && until < now ? until : now);

/**
 * Numbers of a developer: grants that were issued and entries that were written in the period, agents and policies as they are
 * now. They are exact, and counted in small statements.
 * @throws what `signal` was aborted with
 */
export async function summarize(
  db: Queryable,
  { id: developerId, plan }: Pick<Developer, 'id' | 'plan'>,
  period: Period,
) {
  const { active, suspended, revoked, policies } = await countFew(db, developerId);
  const { since, until, now } = period;
  return {
    generatedAt: now,
    ...(since && { since }),
    ...(until && { until }),
    agents: { total: active + suspended + revoked, active, suspended, revoked },
    grants: await allGrantsCounted(db, developerId, period),
    auditEntries: await allEntriesCounted(db, developerId, period),
    policies: { total: policies },
    plan,
  };
}

const beginningOf = ({ since }: Period): string => since?.toISOString() ?? '-infinity';

async function allGrantsCounted(db: Queryable, developerId: string, period: Period) {
  const sum = { total: 0, active: 0, revoked: 0, expired: 0 };
  for (let [at, id] = [beginningOf(period), '']; ; ) {
    period.signal?.throwIfAborted();
    const of = { developerId, at, id, until: endOf(period), now: period.now, limit: AT_ONCE };
    const slice = await countGrants(db, of);
    sum.total += slice.total;
    sum.active += slice.active;
    sum.revoked += slice.revoked;
    sum.expired += slice.expired;
    if (slice.at === null || slice.id === null || slice.total < AT_ONCE) return sum;
    [at, id] = [slice.at, slice.id];
  }
}

async function allEntriesCounted(db: Queryable, developerId: string, period: Period) {
  const sum = { total: 0, success: 0, failure: 0, blocked: 0 };
  for (let [at, seq] = [beginningOf(period), Number.MIN_SAFE_INTEGER]; ; ) {
    period.signal?.throwIfAborted();
    const slice = await countEntries(db, { developerId, at, seq, until: endOf(period), limit: AT_ONCE });
    sum.total += slice.total;
    sum.success += slice.success;
    sum.failure += slice.failure;
    sum.blocked += slice.blocked;
    if (slice.at === null || slice.total < AT_ONCE) return sum;
    [at, seq] = [slice.at, Number(slice.seq)];
  }
}
