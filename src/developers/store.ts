import type { Developer } from '../caller.ts';
import type { Database } from '../db/client.ts';
import { bool, bytes, orNull, text, textOf, timestamp } from '../db/column-types.ts';
import { batchQuery, query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { USABLE } from './key-owner-store.ts';

const COLUMNS = 'id, name, email, mode, plan, created_at as "createdAt"';
const mode = textOf<Developer['mode']>();
const row = { id: text, name: text, email: orNull(text), mode, plan: text, createdAt: timestamp };

const KEY = { keyId: text, keyHash: bytes, keyPrefix: text };
/** The first key of a developer, which a release before this one finds in `developers` too. */
const FIRST_KEY = `insert into api_keys (id, developer_id, hash, name, prefix, created_at)
      select $keyId, id, $keyHash, 'default', $keyPrefix, now() from developer`;

const insert = query({
  operation: 'INSERT',
  collection: 'developers',
  name: 'developers.insert',
  text: `with developer as (
      insert into developers (id, name, email, mode, api_key_hash, created_at)
      values ($id, $name, $email, $mode, $keyHash, $createdAt) returning *),
    first_key as (${FIRST_KEY})
    select ${COLUMNS} from developer`,
  params: { id: text, name: text, email: orNull(text), mode, ...KEY, createdAt: timestamp },
  row,
});

const insertSeed = query({
  operation: 'INSERT',
  collection: 'developers',
  name: 'developers.insert_seed',
  text: `with developer as (
      insert into developers (id, name, mode, api_key_hash, created_at)
      select $id, $name, $mode, $keyHash, $createdAt where not exists (select from api_keys where hash = $keyHash)
      on conflict (api_key_hash) do nothing returning id)
    ${FIRST_KEY}`,
  params: { id: text, name: text, mode, ...KEY, createdAt: timestamp },
  row: {},
});

const byKeyHash = batchQuery({
  operation: 'SELECT',
  collection: 'developers',
  name: 'developers.by_key_hash',
  question: { keyHash: bytes },
  row: {
    id: orNull(text),
    name: orNull(text),
    email: orNull(text),
    mode: orNull(mode),
    plan: orNull(text),
    createdAt: orNull(timestamp),
    keyExpired: orNull(bool),
  },
  text: (asked) => `with ${asked}
    select developer.*
    from asked left join lateral (
      select developers.id, developers.name, email, mode, plan, developers.created_at as "createdAt",
        not ${USABLE} as "keyExpired"
      from api_keys join developers on developers.id = api_keys.developer_id
      where api_keys.hash = asked."keyHash" and suspended_at is null limit 1) developer on true
    order by asked.ordinal`,
});

type NewDeveloper = Pick<Developer, 'id' | 'name' | 'mode' | 'createdAt'> & {
  readonly keyId: string;
  readonly keyHash: Buffer;
  readonly keyPrefix: string;
};

/** @throws a unique violation when the email is taken */
export const insertDeveloper = (
  db: Queryable,
  developer: NewDeveloper & Pick<Developer, 'email'>,
): Promise<Developer> => db.only(insert, developer);

/** Does nothing when a developer already has this key. */
export async function insertSeedDeveloper(db: Queryable, developer: NewDeveloper): Promise<void> {
  await db.all(insertSeed, developer);
}

/** The developer whose API key has this SHA-256, and whether the key has expired; undefined when there is none. */
export async function developerByKeyHash(
  { ask }: Pick<Database, 'ask'>,
  keyHash: Buffer,
): Promise<(Developer & { readonly keyExpired: boolean }) | undefined> {
  const { id, ...found } = await ask(byKeyHash, { keyHash });
  return id === null ? undefined : ({ id, ...found } as Developer & { readonly keyExpired: boolean });
}
