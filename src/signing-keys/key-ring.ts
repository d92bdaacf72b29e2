import { type CryptoKey, importJWK, type JWK } from 'jose';
import type { Clock } from '../clock.ts';
import type { Database } from '../db/client.ts';
import type { Queryable } from '../db/queryable.ts';
import type { Sealer } from '../secrets/sealing.ts';
import type { SigningKeys } from '../telemetry/signing-keys.ts';
import { ensureKey, openPrivateKey } from './create-key.ts';
import { type RevokedKey, readRevokedKeys } from './revoked-store.ts';
import {
  announceKeys,
  type PublicJwk,
  publishedKeys,
  type SigningAlgorithm,
  type StoredKey,
  settleRetiredKeys,
} from './store.ts';

/** What is revoked must end everywhere within ten seconds, the reading included. */
export const RELOAD_MS = 5_000;
/** After this time no replica signs with a superseded key any more, even if its last reloads failed. */
const SUPERSEDED_FOR_MS = 60_000;

/** A key of a ring. */
export interface RingKey {
  readonly publicJwk: PublicJwk;
  readonly verify: CryptoKey;
  readonly sign: CryptoKey;
  readonly signsFrom: number;
}

/** The private half of a key, with the id that its tokens carry. */
export interface Signer {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly key: CryptoKey;
}

/** The public half of a key. It verifies nothing but tokens of its own algorithm (RFC 8725 §3.1). */
export interface Verifier {
  readonly alg: SigningAlgorithm;
  readonly key: CryptoKey;
}

/** Hears what becomes of the keys. */
export interface KeyNews {
  /** A new key of the database; of its replicas one hears. */
  added(key: { readonly kid: string; readonly rotated: boolean }): void;
  /** A key was revoked; each replica that runs hears once. Of those, and of replicas that start later, one counts it. */
  revoked(key: RevokedKey): void;
}

/** Tells of revoked keys that were not told of before. */
export function createRevocationNews(db: Queryable, heard: Pick<KeyNews, 'revoked'>) {
  let told: Set<string> | undefined;
  /** @returns the kids of all keys that were ever revoked */
  return async (now: Date): Promise<ReadonlySet<string>> => {
    const revoked = await readRevokedKeys(db, now);
    for (const key of revoked) if (key.counts || (told && !told.has(key.kid))) heard.revoked(key);
    told = new Set(revoked.map(({ kid }) => kid));
    return told;
  };
}

/** The signing keys that this replica knows. */
export interface KeyRing {
  /** The key that signs now. */
  signer(): Signer;
  /** The key with this `kid`. For an unknown `kid` it reads the database first. */
  verifier(kid: string): Promise<Verifier | undefined>;
  /** Whether this replica knows the key as published. */
  knows(kid: string): boolean;
  /** The keys in `/.well-known/jwks.json`. */
  published(): readonly PublicJwk[];
  /** The values for metrics. */
  observe(): SigningKeys;
  /** Stops the regular reload. */
  close(): void;
}

/** Imports a key of the ring. */
export async function importPair(publicJwk: PublicJwk, privateJwk: JWK, signsFrom: number): Promise<RingKey> {
  const { alg } = publicJwk;
  const [verify, sign] = await Promise.all([importJWK(publicJwk, alg), importJWK(privateJwk, alg)]);
  if (verify instanceof Uint8Array || sign instanceof Uint8Array) throw new Error('not an asymmetric key');
  return { publicJwk, verify, sign, signsFrom };
}

export const signerOf = ({ publicJwk: { kid, alg }, sign }: RingKey): Signer => ({ kid, alg, key: sign });
export const verifierOf = (one: RingKey | undefined): Verifier | undefined =>
  one && { alg: one.publicJwk.alg, key: one.verify };

/**
 * Keys from the database. The first start creates one. The ring reloads them every five seconds, so a rotation reaches
 * every replica without a restart, long before the new key signs.
 * @param onError called when a reload fails; the ring then keeps the known keys
 * @param heard told of new keys and of revoked ones
 * @throws when SECRET_KEY does not open the keys in the database
 */
export async function databaseKeyRing(
  {
    db,
    sealer,
    clock,
    algorithm,
  }: { db: Database; sealer: Sealer; clock: Clock; algorithm: SigningAlgorithm },
  onError: (error: unknown) => void,
  heard: KeyNews,
): Promise<KeyRing> {
  let ring = new Map<string, RingKey>();
  let loading: Promise<void> | undefined;
  let readAt = 0;
  let announceDue = false;

  const readRevoked = createRevocationNews(db.side, heard);
  const importStored = async (stored: StoredKey): Promise<RingKey> => {
    const known = ring.get(stored.kid);
    if (known) return known;
    const opened = openPrivateKey(sealer, stored);
    return importPair(stored.publicJwk, { ...(JSON.parse(opened) as JWK) }, stored.signsFrom.getTime());
  };
  const load = async () => {
    const now = clock.now();
    await settleRetiredKeys(db.side, {
      now: new Date(now),
      supersededBefore: new Date(now - SUPERSEDED_FOR_MS),
    });
    const stored = await publishedKeys(db.side, new Date(now));
    const keys = await Promise.all(stored.map(importStored));
    await readRevoked(new Date(now));
    announceDue ||= stored.some(({ kid }) => !ring.has(kid));
    ring = new Map(keys.map((key) => [key.publicJwk.kid, key]));
    readAt = performance.now();
    if (!announceDue) return;
    for (const key of await announceKeys(db.side, new Date(now))) heard.added(key);
    announceDue = false;
  };
  const reload = (): Promise<void> => {
    loading ??= load().finally(() => {
      loading = undefined;
    });
    return loading;
  };

  await ensureKey({ db, sealer, algorithm, now: clock.now() });
  await reload();
  const timer = setInterval(() => void reload().catch(onError), RELOAD_MS).unref();
  let reloadedForKid = Number.NEGATIVE_INFINITY;

  const signing = (): RingKey | undefined => {
    const now = clock.now();
    const keys = [...ring.values()].sort((a, b) => a.signsFrom - b.signsFrom);
    // After a step back of the clock, no key may sign yet. The key that was published first then signs.
    const { signsFrom } = keys.findLast((key) => key.signsFrom <= now) ?? keys[0] ?? {};
    return keys.find((one) => one.signsFrom === signsFrom);
  };

  return {
    signer() {
      const key = signing();
      if (!key) throw new Error('no signing key');
      return signerOf(key);
    },
    async verifier(kid) {
      // At most one reload a second, so that tokens with invented key ids do not cause a query each.
      if (!ring.has(kid) && performance.now() - reloadedForKid > 1000) {
        reloadedForKid = performance.now();
        await reload();
      }
      return verifierOf(ring.get(kid));
    },
    knows: (kid) => ring.has(kid),
    published: () => [...ring.values()].map(({ publicJwk }) => publicJwk),
    observe() {
      const key = signing();
      return {
        published: ring.size,
        signingFor: key ? Math.max(0, (clock.now() - key.signsFrom) / 1000) : null,
        readAgo: (performance.now() - readAt) / 1000,
      };
    },
    close: () => clearInterval(timer),
  };
}
