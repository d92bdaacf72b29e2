import { randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import { ConfigError } from '../config.ts';
import type { Queryable } from '../db/queryable.ts';
import type { Sealer } from '../secrets/sealing.ts';
import { publicJwkOf } from './public-jwk.ts';
import { insertKey, lockKeys, publishedKeys, type SigningAlgorithm, type StoredKey } from './store.ts';

/** The possible lag of a replica or of a client's cached JWKS: the 60 s of the contract, doubled. */
export const PUBLISH_BEFORE_SIGNING_MS = 120_000;

/** What a change of the keys needs. */
export interface KeyMaterial {
  readonly db: { transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> };
  readonly sealer: Sealer;
  readonly now: number;
  /** Of the key that is made. */
  readonly algorithm: SigningAlgorithm;
}

/**
 * Creates the first signing key of a database. It signs at once. When replicas start together, exactly one creates it.
 */
export async function ensureKey({ db, sealer, now, algorithm }: KeyMaterial): Promise<void> {
  const key = await newKey(sealer, algorithm, { now, signsFrom: now });
  await db.transaction(async (tx) => {
    await lockKeys(tx);
    if ((await publishedKeys(tx, new Date(now))).length === 0) await insertKey(tx, key);
  });
}

/**
 * Adds a key. The service publishes it at once and signs with it two minutes later, so that every verifier knows it by
 * then. The key before it stays published until its last token has expired, also when the algorithm changes. The first
 * key of a database signs at once.
 * @throws when SECRET_KEY does not open the existing keys, because no replica could start with a key that was sealed
 * differently
 */
export async function rotateKeys({ db, sealer, now, algorithm }: KeyMaterial): Promise<StoredKey> {
  const key = await newKey(sealer, algorithm, { now, signsFrom: now + PUBLISH_BEFORE_SIGNING_MS });
  return db.transaction(async (tx) => {
    await lockKeys(tx);
    const published = await publishedKeys(tx, new Date(now));
    for (const stored of published) openPrivateKey(sealer, stored);
    const added = published.length === 0 ? { ...key, signsFrom: key.createdAt } : key;
    await insertKey(tx, added);
    return added;
  });
}

/**
 * The private JWK of a stored key, as text.
 * @throws {ConfigError} when the key was sealed with another SECRET_KEY
 */
export function openPrivateKey(sealer: Sealer, { kid, sealedPrivate }: StoredKey): string {
  try {
    return sealer.open(sealedPrivate, kid);
  } catch {
    throw new ConfigError([
      'SECRET_KEY does not open the signing keys in the database: it is not the one they were sealed with',
    ]);
  }
}

/** A key that is not stored yet. */
export async function newKey(
  sealer: Sealer,
  algorithm: SigningAlgorithm,
  { now, signsFrom }: { now: number; signsFrom: number },
): Promise<StoredKey> {
  // The length matters to RSA only; ES256 has one curve.
  const { publicKey, privateKey } = await generateKeyPair(algorithm, {
    modulusLength: 2048,
    extractable: true,
  });
  const kid = randomBytes(12).toString('base64url');
  const publicJwk = publicJwkOf({ ...(await exportJWK(publicKey)), kid });
  if (!publicJwk) throw new Error('a generated key is incomplete');
  return {
    kid,
    publicJwk,
    sealedPrivate: sealer.seal(JSON.stringify(await exportJWK(privateKey)), kid),
    createdAt: new Date(now),
    signsFrom: new Date(signsFrom),
    publishedUntil: null,
  };
}
