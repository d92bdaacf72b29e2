import { bool, bytes, jsonb, orNull, text, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';

interface PublicJwkOf<Alg extends string> {
  readonly alg: Alg;
  readonly use: 'sig';
  readonly kid: string;
}
interface RsaJwk extends PublicJwkOf<'RS256'> {
  readonly kty: 'RSA';
  readonly n: string;
  readonly e: string;
}
interface EcJwk extends PublicJwkOf<'ES256'> {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
}
/** The public half of a signing key in the form of RFC 7517. Rows of earlier versions are all RSA. */
export type PublicJwk = RsaJwk | EcJwk;

/** RFC 7518 §3.1. */
export type SigningAlgorithm = PublicJwk['alg'];

export interface StoredKey {
  readonly kid: string;
  readonly publicJwk: PublicJwk;
  readonly sealedPrivate: Buffer;
  readonly createdAt: Date;
  /** The key signs from this time until a later key does. */
  readonly signsFrom: Date;
  /** The time at which the last token of this key expires; null until it is known. */
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
  text: `select ${COLUMNS} from signing_keys where (published_until is null or published_until > $now)
      and not exists (select from revoked_signing_keys revoked where revoked.kid = signing_keys.kid)
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
// A replica may still sign with a key for a while after it was superseded. Only after that is the last token of the key
// known.
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

// An update that waits for another's finds the column set: of replicas that announce at once, each key falls to one.
const announce = query({
  operation: 'UPDATE',
  collection: 'signing_keys',
  name: 'keys.announce',
  text: `update signing_keys set announced_at = $now where announced_at is null
    returning kid, exists (select from signing_keys older where older.created_at < signing_keys.created_at) as rotated`,
  params: { now: timestamp },
  row: { kid: text, rotated: bool },
});

/** The keys that no replica has told of yet. They are marked as told of. */
export const announceKeys = (
  db: Queryable,
  now: Date,
): Promise<{ readonly kid: string; readonly rotated: boolean }[]> => db.all(announce, { now });

/** The keys that verify tokens now, oldest first. */
export const publishedKeys = (db: Queryable, now: Date): Promise<StoredKey[]> => db.all(published, { now });

/** Adds a key and thereby publishes it. The caller must hold the lock of the table. */
export async function insertKey(db: Queryable, added: Omit<StoredKey, 'publishedUntil'>): Promise<void> {
  await db.all(insert, added);
}

/** Locks the table, so that only one transaction at a time decides whether to add a key. */
export async function lockKeys(tx: Queryable): Promise<void> {
  await tx.all(lockTable, {});
}

/** Stores how long the keys that were superseded before `supersededBefore` must stay published. */
export async function settleRetiredKeys(
  db: Queryable,
  times: { now: Date; supersededBefore: Date },
): Promise<void> {
  await db.all(settle, times);
}
