// Signed heads of chains. `chain-store.ts` reads the entries that they are compared with.
import { boundedCount } from '../db/bounded-count.ts';
import { bigint, int, jsonb, orNull, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import type { PublicJwk } from '../signing-keys/store.ts';

/** The last entry of a chain at some time. */
export interface SignedHead {
  readonly seq: number;
  readonly entryId: string;
  readonly hash: string;
  /** null: an older release wrote the entry. */
  readonly rowHash: string | null;
  readonly entryAt: Date;
}

export interface Checkpoint extends SignedHead {
  readonly madeAt: Date;
  readonly kid: string;
  /** The signature, with all that it covers. */
  readonly jws: string;
}

const head = { entryId: text, hash: text, rowHash: orNull(text), entryAt: timestamp };
const checkpoint = { ...head, seq: text, madeAt: timestamp, kid: text, jws: text };
const COLUMNS = `seq::text, entry_id as "entryId", hash, row_hash as "rowHash", entry_at as "entryAt", made_at as "madeAt",
  kid, jws`;
const collection = 'audit_checkpoints';

const due = query({
  operation: 'SELECT',
  collection: 'audit_heads',
  name: 'audit.checkpoints_due',
  text: `select developer_id as "developerId" from audit_heads where checkpoint_due <= $now
    order by checkpoint_due limit $limit`,
  params: { now: timestamp, limit: bigint },
  row: { developerId: text },
});
const lockDue = query({
  operation: 'SELECT',
  collection: 'audit_heads',
  name: 'audit.lock_checkpoint_due',
  text: `select checkpoint_due as due from audit_heads
    where developer_id = $developerId and checkpoint_due <= $now for update`,
  params: { developerId: text, now: timestamp },
  row: { due: orNull(timestamp) },
});
const lastEntry = query({
  operation: 'SELECT',
  collection: 'audit_entries',
  name: 'audit.last_before_checkpoint',
  text: `select seq::text, id as "entryId", hash, row_hash as "rowHash", created_at as "entryAt" from audit_entries
    where developer_id = $developerId and created_at < $due
      and seq > coalesce((select max(seq) from audit_checkpoints where developer_id = $developerId), 0)
    order by audit_entries.seq desc limit 1`,
  params: { developerId: text, due: timestamp },
  row: { ...head, seq: text },
});
const insert = query({
  operation: 'INSERT',
  collection,
  name: 'audit.insert_checkpoint',
  text: `with key as (
      insert into audit_checkpoint_keys (kid, public_jwk) values ($kid, $publicJwk) on conflict (kid) do nothing)
    insert into audit_checkpoints (developer_id, seq, entry_id, hash, row_hash, entry_at, made_at, kid, jws)
    values ($developerId, $seq, $entryId, $hash, $rowHash, $entryAt, $madeAt, $kid, $jws)`,
  params: {
    ...head,
    developerId: text,
    seq: bigint,
    madeAt: timestamp,
    kid: text,
    jws: text,
    publicJwk: jsonb<PublicJwk>(),
  },
  row: {},
});
const setDue = query({
  operation: 'UPDATE',
  collection: 'audit_heads',
  name: 'audit.next_checkpoint_due',
  text: `update audit_heads set checkpoint_due = (
      select date_trunc('hour', created_at, 'UTC') + interval '1 hour' from audit_entries
      where developer_id = $developerId
        and seq > coalesce((select max(seq) from audit_checkpoints where developer_id = $developerId), 0)
      order by audit_entries.seq limit 1)
    where developer_id = $developerId`,
  params: { developerId: text },
  row: {},
});

/** Developers whose chain has an hour that ended before `now` and has no checkpoint yet. */
export async function developersDue(db: Queryable, now: Date, limit: number): Promise<string[]> {
  return (await db.all(due, { now, limit })).map(({ developerId }) => developerId);
}

/**
 * Locks the head of a chain. @returns when the hour ends that needs a checkpoint; undefined: none does, or no longer
 */
export const lockDueHead = async (tx: Queryable, developerId: string, now: Date): Promise<Date | undefined> =>
  (await tx.first(lockDue, { developerId, now }))?.due ?? undefined;

/** The last entry before `due` that no checkpoint covers. */
export async function lastUnsigned(
  tx: Queryable,
  developerId: string,
  due: Date,
): Promise<SignedHead | undefined> {
  const row = await tx.first(lastEntry, { developerId, due });
  return row && { ...row, seq: Number(row.seq) };
}

export interface NewCheckpoint extends Checkpoint {
  readonly developerId: string;
  /** Of the key that signed. */
  readonly publicJwk: PublicJwk;
}

/** Stores a checkpoint and the public half of its key. */
export async function insertCheckpoint(tx: Queryable, added: NewCheckpoint): Promise<void> {
  await tx.all(insert, added);
}

/** Makes the next checkpoint due at the end of the first hour that has an entry after the last one. */
export async function scheduleNext(tx: Queryable, developerId: string): Promise<void> {
  await tx.all(setDue, { developerId });
}

const range = { developerId: text, since: orNull(timestamp), until: orNull(timestamp) };
const CONDITIONS = `developer_id = $developerId and ($since::timestamptz is null or made_at >= $since)
  and ($until::timestamptz is null or made_at <= $until)`;
const page = query({
  operation: 'SELECT',
  collection,
  name: 'audit.checkpoints_page',
  text: `select ${COLUMNS} from audit_checkpoints where ${CONDITIONS}
    order by audit_checkpoints.seq desc limit $limit offset $offset`,
  params: { ...range, limit: bigint, offset: bigint },
  row: checkpoint,
});
const count = query({
  operation: 'SELECT',
  collection,
  name: 'audit.checkpoints_count',
  text: boundedCount(`audit_checkpoints where ${CONDITIONS}`),
  params: range,
  row: { total: int },
});

/** One page of a developer's checkpoints that were made in a time, newest first. */
export async function checkpointsPage(
  db: Queryable,
  developerId: string,
  { since = null, until = null }: { since?: Date | null | undefined; until?: Date | null | undefined },
  { limit, offset }: { limit: number; offset: number },
): Promise<{ checkpoints: Checkpoint[]; total: number }> {
  const values = { developerId, since, until };
  const [rows, { total }] = await Promise.all([
    db.all(page, { ...values, limit, offset }),
    db.only(count, values),
  ]);
  return { checkpoints: rows.map(numbered), total };
}

const after = query({
  operation: 'SELECT',
  collection,
  name: 'audit.checkpoints_after',
  text: `select ${COLUMNS} from audit_checkpoints
    where developer_id = $developerId and seq > $after and seq <= $last order by audit_checkpoints.seq limit $limit`,
  params: { developerId: text, after: bigint, last: bigint, limit: bigint },
  row: checkpoint,
});

/** The first checkpoints after the number `after` up to `last`, oldest first. */
export const checkpointsAfter = async (
  db: Queryable,
  of: { developerId: string; after: number; last: number; limit: number },
): Promise<Checkpoint[]> => (await db.all(after, of)).map(numbered);

const keyOf = query({
  operation: 'SELECT',
  collection: 'signing_keys',
  name: 'audit.key_of_checkpoint',
  text: `select coalesce((select public_jwk from signing_keys where kid = $kid),
    (select public_jwk from audit_checkpoint_keys where kid = $kid)) as jwk`,
  params: { kid: text },
  row: { jwk: orNull(jsonb<PublicJwk>()) },
});

/** The public half of a key that signed a checkpoint: from the keys, where a retired one stays, else as it was kept. */
export const storedKey = async (db: Queryable, kid: string): Promise<PublicJwk | undefined> =>
  (await db.only(keyOf, { kid })).jwk ?? undefined;

const numbered = <R extends { readonly seq: string }>(row: R) => ({ ...row, seq: Number(row.seq) });
