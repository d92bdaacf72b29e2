import type { Developer } from '../caller.ts';
import { bytes, orNull, text, textOf, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';

const COLUMNS = 'id, name, email, mode, plan, created_at as "createdAt"';
const mode = textOf<Developer['mode']>();
const row = { id: text, name: text, email: orNull(text), mode, plan: text, createdAt: timestamp };

const insert = query({
  operation: 'INSERT',
  collection: 'developers',
  name: 'developers.insert',
  text: `insert into developers (id, name, email, mode, api_key_hash, created_at)
    values ($id, $name, $email, $mode, $keyHash, $createdAt) returning ${COLUMNS}`,
  params: { id: text, name: text, email: orNull(text), mode, keyHash: bytes, createdAt: timestamp },
  row,
});

const insertSeed = query({
  operation: 'INSERT',
  collection: 'developers',
  name: 'developers.insert_seed',
  text: `insert into developers (id, name, mode, api_key_hash, created_at)
    values ($id, $name, $mode, $keyHash, $createdAt) on conflict (api_key_hash) do nothing`,
  params: { id: text, name: text, mode, keyHash: bytes, createdAt: timestamp },
  row: {},
});

const byKeyHash = query({
  operation: 'SELECT',
  collection: 'developers',
  name: 'developers.by_key_hash',
  text: `select ${COLUMNS} from developers where api_key_hash = $keyHash and suspended_at is null`,
  params: { keyHash: bytes },
  row,
});

const replaceKey = query({
  operation: 'UPDATE',
  collection: 'developers',
  name: 'developers.replace_key',
  text: 'update developers set api_key_hash = $newHash where api_key_hash = $oldHash returning id, mode',
  params: { oldHash: bytes, newHash: bytes },
  row: { id: text, mode },
});

type NewDeveloper = Pick<Developer, 'id' | 'name' | 'mode' | 'createdAt'> & { readonly keyHash: Buffer };

/** @throws a unique violation when the email is taken */
export const insertDeveloper = (
  db: Queryable,
  developer: NewDeveloper & Pick<Developer, 'email'>,
): Promise<Developer> => db.only(insert, developer);

/** Does nothing when a developer already has this key. */
export async function insertSeedDeveloper(db: Queryable, developer: NewDeveloper): Promise<void> {
  await db.all(insertSeed, developer);
}

/** The developer whose API key has this SHA-256; undefined when there is none. */
export const developerByKeyHash = (db: Queryable, keyHash: Buffer): Promise<Developer | undefined> =>
  db.first(byKeyHash, { keyHash });

/** Replaces the key if `oldHash` is still current. Of two concurrent attempts, one succeeds. */
export async function replaceApiKey(db: Queryable, oldHash: Buffer, newHash: Buffer): Promise<boolean> {
  return (await db.first(replaceKey, { oldHash, newHash })) !== undefined;
}
