import { type CryptoKey, importJWK, type JWK } from 'jose';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Database } from '../db/client.ts';
import type { Sealer } from '../secrets/sealing.ts';
import type { SigningKeys } from '../telemetry/signing-keys.ts';
import { ensureKey, openPrivateKey } from './create-key.ts';
import { publicJwkOf } from './public-jwk.ts';
import {
  announceKeys,
  type PublicJwk,
  publishedKeys,
  type SigningAlgorithm,
  type StoredKey,
  settleRetiredKeys,
} from './store.ts';

const RELOAD_MS = 10_000;
/** After this time no replica signs with a superseded key any more, even if its last reloads failed. */
const SUPERSEDED_FOR_MS = 60_000;

interface RingKey {
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

async function importPair(publicJwk: PublicJwk, privateJwk: JWK, signsFrom: number): Promise<RingKey> {
  const { alg } = publicJwk;
  const [verify, sign] = await Promise.all([importJWK(publicJwk, alg), importJWK(privateJwk, alg)]);
  if (verify instanceof Uint8Array || sign instanceof Uint8Array) throw new Error('not an asymmetric key');
  return { publicJwk, verify, sign, signsFrom };
}

const signerOf = ({ publicJwk: { kid, alg }, sign }: RingKey): Signer => ({ kid, alg, key: sign });
const verifierOf = (one: RingKey | undefined): Verifier | undefined =>
  one && { alg: one.publicJwk.alg, key: one.verify };

/**
 * Keys from SIGNING_KEYS_FILE. The first one signs, and all are published. They do not change until the next start.
 * @throws when a key cannot be imported
 */
export async function fileKeyRing(keys: NonNullable<Config['signingKeys']>): Promise<KeyRing> {
  const ring = await Promise.all(
    // `key_ops` is omitted, because it may forbid one of the two operations of the pair: to sign and to verify.
    keys.map(({ key_ops: _ignored, ...rest }) => {
      const publicJwk = publicJwkOf(rest as JWK);
      if (!publicJwk) throw new Error('a signing key is neither RSA nor P-256');
      return importPair(publicJwk, { ...rest, ...publicJwk }, 0);
    }),
  );
  const [first] = ring;
  if (!first) throw new Error('no signing key');
  return {
    signer: () => signerOf(first),
    verifier: async (kid) => verifierOf(ring.find(({ publicJwk }) => publicJwk.kid === kid)),
    knows: (kid) => ring.some(({ publicJwk }) => publicJwk.kid === kid),
    published: () => ring.map(({ publicJwk }) => publicJwk),
    observe: () => ({ published: ring.length, signingFor: null, readAgo: null }),
    close: () => undefined,
  };
}

/**
 * Keys from the database. The first start creates one. The ring reloads them every ten seconds, so a rotation reaches
 * every replica without a restart, long before the new key signs.
 * @param onError called when a reload fails; the ring then keeps the known keys
 * @param onNewKey called for each new key of the database, by one of its replicas
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
  onNewKey: (key: { readonly kid: string; readonly rotated: boolean }) => void,
): Promise<KeyRing> {
  let ring = new Map<string, RingKey>();
  let loading: Promise<void> | undefined;
  let readAt = 0;
  let announceDue = false;

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
    announceDue ||= stored.some(({ kid }) => !ring.has(kid));
    ring = new Map(keys.map((key) => [key.publicJwk.kid, key]));
    readAt = performance.now();
    if (!announceDue) return;
    for (const key of await announceKeys(db.side, new Date(now))) onNewKey(key);
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
