import type { SpanContext } from '@opentelemetry/api';
import { boundedCount } from '../db/bounded-count.ts';
import { bigint, int, jsonb, orNull, text, textOf, timestamp } from '../db/column-types.ts';
import { batchQuery, query, questionsOf } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { AuditStatus } from './chain.ts';

export interface AuditRow {
  readonly id: string;
  readonly developerId: string;
  readonly agentId: string;
  readonly agentDid: string;
  readonly grantId: string;
  readonly principalId: string;
  readonly action: string;
  readonly status: AuditStatus;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
  readonly hash: string;
  readonly prevHash: string | null;
}

export const COLUMNS = `id, developer_id as "developerId", agent_id as "agentId", agent_did as "agentDid", grant_id as "grantId",
  principal_id as "principalId", action, status, metadata, created_at as "createdAt", hash, prev_hash as "prevHash"`;

const key = { developerId: text, id: text };
export const entry = {
  ...key,
  agentId: text,
  agentDid: text,
  grantId: text,
  principalId: text,
  action: text,
  status: textOf<AuditStatus>(),
  metadata: jsonb<AuditRow['metadata']>(),
  createdAt: timestamp,
  hash: text,
  prevHash: orNull(text),
};

// The insert creates the row the first time. In both cases the row stays locked until the transaction ends, and the
// next writer then reads the hash that this transaction wrote. The numbers are taken within the lock, so they grow along each
// chain.
const lockHead = query({
  operation: 'INSERT',
  collection: 'audit_heads',
  name: 'audit.lock_head',
  text: `insert into audit_heads (developer_id, hash) values ($developerId, null)
    on conflict (developer_id) do update set developer_id = excluded.developer_id
    returning hash, day::text, entries_of_day as "entriesOfDay", row_hash as "rowHash", covered_hash as "coveredHash",
      last_at as "lastAt",
      (select jsonb_agg(nextval('audit_entries_seq_seq')) from generate_series(1, $entries::int)) as numbers`,
  params: { developerId: text, entries: int },
  row: {
    hash: orNull(text),
    day: orNull(text),
    entriesOfDay: int,
    rowHash: orNull(text),
    coveredHash: orNull(text),
    lastAt: orNull(timestamp),
    numbers: jsonb<readonly number[]>(),
  },
});
const lastTime = query({
  operation: 'SELECT',
  collection: 'audit_entries',
  name: 'audit.last_time',
  text: `select created_at as "createdAt" from audit_entries where developer_id = $developerId order by seq desc limit 1`,
  params: { developerId: text },
  row: { createdAt: timestamp },
});
const named = batchQuery({
  operation: 'SELECT',
  collection: 'grants',
  name: 'audit.named_agents_and_grants',
  question: { developerId: text, agentId: text, grantId: text },
  row: { principalId: orNull(text) },
  // The owner is compared outside of the look-ups by id: inside, the planner may read all grants of the developer for it.
  text: (asked) => `with ${asked}
    select case when agent.developer_id = asked."developerId" and named.developer_id = asked."developerId"
      then named.principal_id end as "principalId"
    from asked
      left join lateral (
        select developer_id from agents where id = asked."agentId" and removed_at is null limit 1) agent on true
      left join lateral (select developer_id, principal_id from grants where id = asked."grantId" limit 1) named on true
    order by asked.ordinal`,
});
const append = batchQuery({
  operation: 'INSERT',
  collection: 'audit_entries',
  name: 'audit.append',
  question: { ...entry, seq: bigint, rowHash: text, day: text, entriesOfDay: int },
  row: {},
  text: (asked) => `with ${asked}, head as (
      update audit_heads set hash = last.hash, covered_hash = last.hash, row_hash = last."rowHash",
        last_at = last."createdAt", day = last.day::date, entries_of_day = last."entriesOfDay",
        checkpoint_due = coalesce(checkpoint_due, (
          select date_trunc('hour', "createdAt", 'UTC') + interval '1 hour' from asked order by ordinal limit 1))
      from (select * from asked order by ordinal desc limit 1) last
      where audit_heads.developer_id = last."developerId")
    insert into audit_entries (seq, id, developer_id, agent_id, agent_did, grant_id, principal_id, action, status, metadata,
      created_at, hash, prev_hash, row_hash) overriding system value
    select seq, id, "developerId", "agentId", "agentDid", "grantId", "principalId", action, status, metadata, "createdAt",
      hash, "prevHash", "rowHash"
    from asked order by ordinal`,
});

/** The end of a developer's chain. */
export interface ChainHead {
  /** The last entry's hash; null: there is no entry. */
  readonly hash: string | null;
  /** The day (UTC, `YYYY-MM-DD`) of the last entry, and how many entries it has; null: none was counted yet. */
  readonly day: string | null;
  readonly entriesOfDay: number;
  /** The last entry's second hash; null: there is no entry, or an older release wrote the last one. */
  readonly rowHash: string | null;
  /** The last entry's time; null: there is no entry. */
  readonly lastAt: Date | null;
}

/** An entry to append, and the count of its day with it. */
export interface NewAuditRow extends AuditRow {
  readonly seq: number;
  readonly rowHash: string;
  readonly day: string;
  readonly entriesOfDay: number;
}

/**
 * Locks the head of a developer's chain until the transaction ends, and takes numbers for `entries` new entries: they are
 * greater than those of all earlier entries, of every developer.
 */
export async function lockChain(
  tx: Queryable,
  developerId: string,
  entries: number,
): Promise<{ head: ChainHead; numbers: readonly number[] }> {
  const { numbers, coveredHash, ...head } = await tx.only(lockHead, { developerId, entries });
  if (head.hash === coveredHash) return { head, numbers };
  // An older release wrote the last entry, and left the rest of the head as it was.
  const last = await tx.first(lastTime, { developerId });
  return { head: { ...head, rowHash: null, lastAt: last?.createdAt ?? null }, numbers };
}

/** For each entry the principal of its grant; null unless both the agent and the grant belong to the developer. */
export async function principalsOf(
  db: Queryable,
  entries: readonly { developerId: string; agentId: string; grantId: string }[],
): Promise<(string | null)[]> {
  const asked = entries.map(({ developerId, agentId, grantId }) => ({ developerId, agentId, grantId }));
  const rows = await db.all(named, { questions: questionsOf(named, asked) });
  return rows.map(({ principalId }) => principalId);
}

/**
 * Appends the entries of one developer in their order and moves the head of the chain to the last one, in one statement.
 * The caller must hold the chain's lock.
 * @param links spans of the other requests that the statement serves
 */
export async function appendEntries(
  tx: Queryable,
  rows: readonly NewAuditRow[],
  links: readonly SpanContext[],
): Promise<void> {
  await tx.all(append, { questions: questionsOf(append, rows) }, links);
}

const byId = query({
  operation: 'SELECT',
  collection: 'audit_entries',
  name: 'audit.by_id',
  text: `select ${COLUMNS} from audit_entries where developer_id = $developerId and id = $id`,
  params: key,
  row: entry,
});

/** One entry; undefined when the developer has no such entry. */
export const auditEntry = (
  db: Queryable,
  key: { developerId: string; id: string },
): Promise<AuditRow | undefined> => db.first(byId, key);

export interface AuditFilter {
  readonly agentId?: string | undefined;
  readonly grantId?: string | undefined;
  readonly principalId?: string | undefined;
  readonly action?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

const filters = {
  developerId: text,
  agentId: orNull(text),
  grantId: orNull(text),
  principalId: orNull(text),
  action: orNull(text),
  since: orNull(timestamp),
  until: orNull(timestamp),
};

/** One text for each set of filters that has an index, so that each can use its own. */
const FILTERED = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => {
  const conditions = [
    'developer_id = $developerId',
    bits & 1 ? 'agent_id = $agentId' : '$agentId::text is null',
    bits & 2 ? 'grant_id = $grantId' : '$grantId::text is null',
    bits & 4 ? 'principal_id = $principalId' : '$principalId::text is null',
    '($action::text is null or action = $action)',
    '($since::timestamptz is null or created_at >= $since)',
    '($until::timestamptz is null or created_at <= $until)',
  ].join(' and ');
  return {
    page: query({
      operation: 'SELECT',
      collection: 'audit_entries',
      name: `audit.page_${bits}`,
      text: `select ${COLUMNS} from audit_entries where ${conditions} order by seq desc limit $limit offset $offset`,
      params: { ...filters, limit: bigint, offset: bigint },
      row: entry,
    }),
    count: query({
      operation: 'SELECT',
      collection: 'audit_entries',
      name: `audit.count_${bits}`,
      text: boundedCount(`audit_entries where ${conditions}`),
      params: filters,
      row: { total: int },
    }),
  };
});

/** Newest first. */
export async function entriesPage(
  db: Queryable,
  developerId: string,
  filter: AuditFilter,
  { limit, offset }: { limit: number; offset: number },
): Promise<{ entries: AuditRow[]; total: number }> {
  const { agentId = null, grantId = null, principalId = null } = filter;
  const { action = null, since = null, until = null } = filter;
  const bits = (agentId === null ? 0 : 1) + (grantId === null ? 0 : 2) + (principalId === null ? 0 : 4);
  const queries = FILTERED[bits];
  if (!queries) throw new Error('no such set of filters');
  const values = { developerId, agentId, grantId, principalId, action, since, until };
  const [entries, { total }] = await Promise.all([
    db.all(queries.page, { ...values, limit, offset }),
    db.only(queries.count, values),
  ]);
  return { entries, total };
}
