// What verification reads: the entries of a chain in their order, in small statements.
import { bigint, orNull, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { type AuditRow, COLUMNS, entry } from './store.ts';

/** An entry with all that is stored of it. */
export interface StoredEntry extends AuditRow {
  readonly seq: number;
  /** null: an older release wrote the entry. */
  readonly rowHash: string | null;
}

const state = query({
  operation: 'SELECT',
  collection: 'audit_heads',
  name: 'audit.chain_state',
  text: `select head.hash as "headHash", head.covered_hash as "coveredHash", head.row_hash as "headRowHash",
      prefix.hash as "prefixHash", prefix.seq::text as "prefixSeq", last.seq::text as "lastSeq",
      (select seq from audit_entries where developer_id = $developerId order by audit_entries.seq limit 1)::text
        as "firstSeq",
      (select max(seq) from audit_checkpoints where developer_id = $developerId)::text as "lastCheckpoint"
    from (select $developerId as id) chain
      left join audit_heads head on head.developer_id = chain.id
      left join audit_prefixes prefix on prefix.developer_id = chain.id
      left join lateral (
        select seq from audit_entries where developer_id = chain.id order by audit_entries.seq desc limit 1) last on true`,
  params: { developerId: text },
  row: {
    headHash: orNull(text),
    coveredHash: orNull(text),
    headRowHash: orNull(text),
    prefixHash: orNull(text),
    prefixSeq: orNull(text),
    lastSeq: orNull(text),
    firstSeq: orNull(text),
    lastCheckpoint: orNull(text),
  },
});
const bounds = query({
  operation: 'SELECT',
  collection: 'audit_entries',
  name: 'audit.bounds_of_time',
  text: `select
      (select seq from audit_entries where developer_id = $developerId and created_at >= $since
        order by created_at, audit_entries.seq limit 1)::text as first,
      (select seq from audit_entries where developer_id = $developerId and created_at <= $until
        order by created_at desc, audit_entries.seq desc limit 1)::text as last`,
  params: { developerId: text, since: timestamp, until: timestamp },
  row: { first: orNull(text), last: orNull(text) },
});
const before = query({
  operation: 'SELECT',
  collection: 'audit_entries',
  name: 'audit.entry_before',
  text: `select hash, row_hash as "rowHash" from audit_entries where developer_id = $developerId and seq < $seq
    order by seq desc limit 1`,
  params: { developerId: text, seq: bigint },
  row: { hash: text, rowHash: orNull(text) },
});
const after = query({
  operation: 'SELECT',
  collection: 'audit_entries',
  name: 'audit.entries_after',
  text: `select ${COLUMNS}, seq::text, row_hash as "rowHash" from audit_entries
    where developer_id = $developerId and seq > $after and seq <= $last order by audit_entries.seq limit $limit`,
  params: { developerId: text, after: bigint, last: bigint, limit: bigint },
  row: { ...entry, seq: text, rowHash: orNull(text) },
});

/** What is stored of a chain beside its entries, and where it ended, at one moment. */
export interface ChainState {
  readonly headHash: string | null;
  readonly headRowHash: string | null;
  /** `headHash`, if `headRowHash` is of the same entry. */
  readonly coveredHash: string | null;
  /** The hash and the number of the last removed entry; null: none was removed. The number is 0 when it is not known. */
  readonly prefix: { readonly hash: string; readonly seq: number } | null;
  /** 0: there is no entry. */
  readonly lastSeq: number;
  /** null: there is no entry. */
  readonly firstSeq: number | null;
  /** The number that the last checkpoint names; 0: there is none. */
  readonly lastCheckpoint: number;
}

const numberOf = (text: string | null): number | null => (text === null ? null : Number(text));

export async function chainState(db: Queryable, developerId: string): Promise<ChainState> {
  const { prefixHash, prefixSeq, lastSeq, firstSeq, lastCheckpoint, ...heads } = await db.only(state, {
    developerId,
  });
  return {
    ...heads,
    prefix: prefixHash === null ? null : { hash: prefixHash, seq: Number(prefixSeq) },
    lastSeq: Number(lastSeq),
    firstSeq: numberOf(firstSeq),
    lastCheckpoint: Number(lastCheckpoint),
  };
}

const EVER = { since: new Date('0001-01-01T00:00:00Z'), until: new Date('9999-12-31T23:59:59Z') };

/** The numbers of the first entry since a time, and of the last one until a time; null: there is none. */
export async function boundsOfTime(
  db: Queryable,
  developerId: string,
  { since = EVER.since, until = EVER.until }: { since?: Date | undefined; until?: Date | undefined },
): Promise<{ first: number | null; last: number | null }> {
  const { first, last } = await db.only(bounds, { developerId, since, until });
  return { first: numberOf(first), last: numberOf(last) };
}

/** The hashes of the entry before the number `seq`. */
export const entryBefore = (
  db: Queryable,
  of: { developerId: string; seq: number },
): Promise<{ hash: string; rowHash: string | null } | undefined> => db.first(before, of);

/** The first entries after the number `after` up to `last`, in the order of the chain. */
export async function entriesAfter(
  db: Queryable,
  of: { developerId: string; after: number; last: number; limit: number },
): Promise<StoredEntry[]> {
  return (await db.all(after, of)).map((row) => ({ ...row, seq: Number(row.seq) }));
}

const developers = query({
  operation: 'SELECT',
  collection: 'developers',
  name: 'audit.developers_after',
  text: 'select id from developers where id > $after order by id limit $limit',
  params: { after: text, limit: bigint },
  row: { id: text },
});

/** The ids of the first developers after `after`, in their order. */
export const developersAfter = async (db: Queryable, after: string, limit: number): Promise<string[]> =>
  (await db.all(developers, { after, limit })).map(({ id }) => id);
