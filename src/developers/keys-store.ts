import { bigint, bool, bytes, float, int, orNull, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { USABLE } from './key-owner-store.ts';

/** An API key without its text, which nobody can read again. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  /** The first characters of its text. */
  readonly prefix: string;
  readonly createdAt: Date;
  /** null: it lives until it is removed. */
  readonly expiresAt: Date | null;
  /** Up to a minute or two late; null: it was never used. */
  readonly lastUsedAt: Date | null;
}

/** How many expired keys of a developer stay in the list. Older ones go when a key is made. */
const EXPIRED_KEPT = 100;
const collection = 'api_keys';
const COLUMNS =
  'id, name, prefix, created_at as "createdAt", expires_at as "expiresAt", last_used_at as "lastUsedAt"';
const row = {
  id: text,
  name: text,
  prefix: text,
  createdAt: timestamp,
  expiresAt: orNull(timestamp),
  lastUsedAt: orNull(timestamp),
};

const list = query({
  operation: 'SELECT',
  collection,
  name: 'api_keys.list',
  text: `select ${COLUMNS} from api_keys where developer_id = $developerId order by created_at, id`,
  params: { developerId: text },
  row,
});

/** All keys of a developer, oldest first. */
export const listKeys = (db: Queryable, developerId: string): Promise<ApiKey[]> =>
  db.all(list, { developerId });

// Changes of a developer's keys take turns: each is judged by what the one before it has left.
const lock = query({
  operation: 'SELECT',
  collection: 'developers',
  name: 'api_keys.lock',
  text: 'select id from developers where id = $developerId for no key update',
  params: { developerId: text },
  row: { id: text },
});
const prune = query({
  operation: 'DELETE',
  collection,
  name: 'api_keys.prune',
  text: `delete from api_keys where id = any(array(
      select id from api_keys where developer_id = $developerId and expires_at <= now()
      order by expires_at desc, id offset ${EXPIRED_KEPT}))`,
  params: { developerId: text },
  row: {},
});

/** Lets no other transaction change the keys of this developer until `tx` has ended, and removes keys that expired long ago. */
export async function lockKeysOf(tx: Queryable, developerId: string): Promise<void> {
  await tx.all(lock, { developerId });
  await tx.all(prune, { developerId });
}

const insert = query({
  operation: 'INSERT',
  collection,
  name: 'api_keys.insert',
  text: `insert into api_keys (id, developer_id, hash, name, prefix, seconds, created_at, expires_at)
    select $id::text, $developerId::text, $hash::bytea, $name::text, $prefix::text, $seconds::int, now(),
      now() + make_interval(secs => $seconds::int)
    where (select count(*) from api_keys where developer_id = $developerId::text and ${USABLE}) < $limit::bigint
    returning ${COLUMNS}`,
  params: {
    id: text,
    developerId: text,
    hash: bytes,
    name: text,
    prefix: text,
    seconds: orNull(int),
    limit: bigint,
  },
  row,
});

interface NewKey {
  readonly id: string;
  readonly developerId: string;
  readonly hash: Buffer;
  readonly prefix: string;
  /** How many usable keys a developer may have. */
  readonly limit: number;
}

/** @returns undefined when the developer has as many usable keys as it may; after `lockKeysOf` the count is exact */
export const insertKey = (
  tx: Queryable,
  key: NewKey & { readonly name: string; readonly seconds: number | null },
): Promise<ApiKey | undefined> => tx.first(insert, key);

const end = query({
  operation: 'UPDATE',
  collection,
  name: 'api_keys.rotate',
  text: `with old as (
      select id, hash, developer_id, name, seconds from api_keys where hash = $oldHash and ${USABLE}),
    allowed as (
      select old.* from old where $overlap::int = 0 or $limit::int > (
        select count(*) from api_keys where api_keys.developer_id = old.developer_id and ${USABLE})),
    removed as (
      delete from api_keys using allowed where api_keys.id = allowed.id and $overlap::int = 0),
    shortened as (
      update api_keys set expires_at = least(api_keys.expires_at, now() + make_interval(secs => $overlap::int))
      from allowed where api_keys.id = allowed.id and $overlap::int > 0),
    added as (
      insert into api_keys (id, developer_id, hash, name, prefix, seconds, created_at, expires_at)
      select $id, developer_id, $hash, name, $prefix, seconds, now(), now() + make_interval(secs => seconds) from allowed
      returning created_at),
    moved as (
      update developers set api_key_hash = $hash from allowed
      where developers.id = allowed.developer_id and developers.api_key_hash = allowed.hash)
    select exists (select from old) as known, (select created_at from added) as "rotatedAt"`,
  params: { oldHash: bytes, overlap: int, id: text, hash: bytes, prefix: text, limit: int },
  row: { known: bool, rotatedAt: orNull(timestamp) },
});

/**
 * Replaces a key by a new one of the same name and lifetime. The old one ends after `overlap` seconds; 0: with `tx`. Call it
 * after `lockKeysOf`.
 * @returns `known` false: the old key is not usable any more; `rotatedAt` null: both would be more keys than are allowed
 */
export const rotateKeyRow = (
  tx: Queryable,
  rotation: Omit<NewKey, 'developerId'> & { readonly oldHash: Buffer; readonly overlap: number },
): Promise<{ readonly known: boolean; readonly rotatedAt: Date | null }> => tx.only(end, rotation);

const remove = query({
  operation: 'DELETE',
  collection,
  name: 'api_keys.remove',
  text: `with named as (
      select id, hash, ${USABLE} as usable from api_keys where developer_id = $developerId and id = $id),
    gone as (
      delete from api_keys using named
      where api_keys.id = named.id and (not named.usable or exists (
        select from api_keys where api_keys.developer_id = $developerId and api_keys.id <> $id and ${USABLE}))
      returning named.hash),
    moved as (
      update developers set api_key_hash = (
        select hash from api_keys where developer_id = $developerId and api_keys.id <> $id and expires_at is null
        order by created_at desc, id desc limit 1)
      from gone where developers.id = $developerId and developers.api_key_hash = gone.hash)
    select exists (select from named) as found, exists (select from gone) as removed`,
  params: { developerId: text, id: text },
  row: { found: bool, removed: bool },
});

/** Removes a key, but not the last usable one of its developer. Call it after `lockKeysOf`. */
export const removeKey = (
  tx: Queryable,
  key: { readonly developerId: string; readonly id: string },
): Promise<{ readonly found: boolean; readonly removed: boolean }> => tx.only(remove, key);

const note = query({
  operation: 'UPDATE',
  collection,
  name: 'api_keys.used',
  text: `update api_keys set last_used_at = used.at
    from jsonb_to_recordset($uses::text::jsonb) as used (hash text, at timestamptz)
    where api_keys.hash = decode(used.hash, 'base64')
      and (last_used_at is null or last_used_at <= used.at - make_interval(secs => $seconds::float8))`,
  params: { uses: text, seconds: float },
  row: {},
});

/**
 * Writes when keys were used, where that is not known to within `seconds`.
 * @param uses by the SHA-256 of a key in base64, in milliseconds since the epoch
 */
export async function noteUses(
  db: Queryable,
  uses: readonly (readonly [hash: string, at: number])[],
  seconds: number,
): Promise<void> {
  // All in one order, so that replicas that write the same keys do not wait for each other in a circle.
  const rows = uses
    .map(([hash, at]) => ({ hash, at: new Date(at) }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
  await db.all(note, { uses: JSON.stringify(rows), seconds });
}
