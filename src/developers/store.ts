import type { Queryable } from '../db/client.ts';
import { describeStatement } from '../telemetry/database.ts';

export interface Developer {
  readonly id: string;
  readonly name: string;
  readonly email: string | null;
  readonly mode: 'live' | 'sandbox';
  readonly plan: string;
  readonly createdAt: Date;
}

const COLUMNS = 'id, name, email, mode, plan, created_at as "createdAt"';

const insert = describeStatement({
  operation: 'INSERT',
  collection: 'developers',
  name: 'developers.insert',
  text: `insert into developers (id, name, email, mode, api_key_hash, created_at)
    values ($1, $2, $3, $4, $5, $6) returning ${COLUMNS}`,
});

const insertSeed = describeStatement({
  operation: 'INSERT',
  collection: 'developers',
  name: 'developers.insert_seed',
  text: `insert into developers (id, name, mode, api_key_hash, created_at)
    values ($1, $2, $3, $4, $5) on conflict (api_key_hash) do nothing`,
});

const byKeyHash = describeStatement({
  operation: 'SELECT',
  collection: 'developers',
  name: 'developers.by_key_hash',
  text: `select ${COLUMNS} from developers where api_key_hash = $1`,
});

const replaceKey = describeStatement({
  operation: 'UPDATE',
  collection: 'developers',
  name: 'developers.replace_key',
  text: 'update developers set api_key_hash = $2 where api_key_hash = $1 returning id, mode',
});

/** @throws a unique violation when the email is taken */
export async function insertDeveloper(
  db: Queryable,
  row: Pick<Developer, 'id' | 'name' | 'email' | 'mode'> & { keyHash: Buffer; createdAt: Date },
): Promise<Developer> {
  const [developer] = await db.rows<Developer>(insert, [
    row.id,
    row.name,
    row.email,
    row.mode,
    row.keyHash,
    row.createdAt,
  ]);
  if (!developer) throw new Error('insert returned no row');
  return developer;
}

/** Does nothing when some developer has this key already. */
export async function insertSeedDeveloper(
  db: Queryable,
  row: Pick<Developer, 'id' | 'name' | 'mode'> & { keyHash: Buffer; createdAt: Date },
): Promise<void> {
  await db.rows(insertSeed, [row.id, row.name, row.mode, row.keyHash, row.createdAt]);
}

/** The developer whose API key has this SHA-256; undefined when nobody has. */
export async function developerByKeyHash(db: Queryable, keyHash: Buffer): Promise<Developer | undefined> {
  const [developer] = await db.rows<Developer>(byKeyHash, [keyHash]);
  return developer;
}

/** Swaps the key if `oldHash` is still the one in force; of two that try at once, one succeeds. */
export async function replaceApiKey(db: Queryable, oldHash: Buffer, newHash: Buffer): Promise<boolean> {
  const rows = await db.rows(replaceKey, [oldHash, newHash]);
  return rows.length === 1;
}
