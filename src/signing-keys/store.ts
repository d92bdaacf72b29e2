import { bytes, jsonb, orNull, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';

/** The public half of a signing key as RFC 7517 has it. */
export interface PublicJwk {
  readonly kty: 'RSA';
  readonly alg: 'RS256';
  readonly use: 'sig';
  readonly kid: string;
  readonly n: string;
  readonly e: string;
}

export interface StoredKey {
  readonly kid: string;
  readonly publicJwk: PublicJwk;
  readonly sealedPrivate: Buffer;
  readonly createdAt: Date;
  /** The key signs from here on, until a later key does. */
  readonly signsFrom: Date;
  /** When the last token that it signed expires; null until it is known. */
  readonly publishedUntil: Date | null;
}

const COLUMNS = `kid, public_jwk as "publicJwk", sealed_private as "sealedPrivate", created_at as "createdAt",
  signs_from as "signsFrom", published_until as "publishedUntil"`;
const key = {
  kid: text,
  publicJwk: jsonb<PublicJwk>(),
  sealedPrivate: bytes,
  createdAt: timestamp,
  signsFrom: timestamp,
};

const published = query({
  operation: 'SELECT',
  collection: 'signing_keys',
  name: 'keys.published',
  text: `select ${COLUMNS} from signing_keys where published_until is null or published_until > $now
    order by signs_from, kid`,
  params: { now: timestamp },
  row: { ...key, publishedUntil: orNull(timestamp) },
});
const insert = query({
  operation: 'INSERT',
  collection: 'signing_keys',
  name: 'keys.insert',
  text: `insert into signing_keys (kid, public_jwk, sealed_private, created_at, signs_from)
    values ($kid, $publicJwk, $sealedPrivate, $createdAt, $signsFrom)`,
  params: key,
  row: {},
});
const lockTable = query({
  operation: 'LOCK',
  collection: 'signing_keys',
  name: 'keys.lock',
  text: 'lock table signing_keys in share row exclusive mode',
  params: {},
  row: {},
});
// Until a key has been superseded for a while some replica may still sign with it, so only then is its last token known.
const settle = query({
  operation: 'UPDATE',
  collection: 'signing_keys',
  name: 'keys.settle_retired',
  text: `update signing_keys set published_until = coalesce(
        (select max(expires_at) from tokens where tokens.kid = signing_keys.kid), $now)
    where published_until is null
      and exists (
        select from signing_keys later
        where later.signs_from > signing_keys.signs_from and later.signs_from <= $supersededBefore)`,
  params: { now: timestamp, supersededBefore: timestamp },
  row: {},
});

/** Keys that verify tokens now, oldest first. */
export const publishedKeys = (db: Queryable, now: Date): Promise<StoredKey[]> => db.all(published, { now });

/** Adds a key, which is published from then on. The table must be locked. */
export async function insertKey(db: Queryable, added: Omit<StoredKey, 'publishedUntil'>): Promise<void> {
  await db.all(insert, added);
}

/** Lets one transaction at a time decide whether a key is to be added. */
export async function lockKeys(tx: Queryable): Promise<void> {
  await tx.all(lockTable, {});
}

/** Notes for how long the keys that were superseded before `supersededBefore` must stay published. */
export async function settleRetiredKeys(
  db: Queryable,
  times: { now: Date; supersededBefore: Date },
): Promise<void> {
  await db.all(settle, times);
}
