import type { JWK } from 'jose';
import type { Clock } from '../clock.ts';
import { type Config, ConfigError } from '../config.ts';
import type { Database } from '../db/client.ts';
import {
  createRevocationNews,
  importPair,
  type KeyNews,
  type KeyRing,
  RELOAD_MS,
  signerOf,
  verifierOf,
} from './key-ring.ts';
import { publicJwkOf } from './public-jwk.ts';

/** Where the ring learns of revocations, and whom it tells. */
interface Revocations {
  readonly db: Pick<Database, 'side'>;
  readonly clock: Clock;
  /** The revoked keys could not be read; those known so far stay revoked. */
  onError(error: unknown): void;
  readonly heard: Pick<KeyNews, 'revoked'>;
}

/**
 * Keys from SIGNING_KEYS_FILE. The first one signs, and all are published. Only a revocation changes them before the next start: a
 * revoked key is left out, and the next one of the file signs in its place.
 * @param revocations null: none is ever revoked
 * @throws {ConfigError} when the first key was revoked; when a key cannot be imported
 */
export async function fileKeyRing(
  keys: NonNullable<Config['signingKeys']>,
  revocations: Revocations | null = null,
): Promise<KeyRing> {
  const all = await Promise.all(
    // `key_ops` is omitted, because it may forbid one of the two operations of the pair: to sign and to verify.
    keys.map(({ key_ops: _ignored, ...rest }) => {
      const publicJwk = publicJwkOf(rest as JWK);
      if (!publicJwk) throw new Error('a signing key is neither RSA nor P-256');
      return importPair(publicJwk, { ...rest, ...publicJwk }, 0);
    }),
  );
  let ring = all;
  const close = revocations ? await follow(revocations) : () => undefined;

  async function follow({ db, clock, onError, heard }: Revocations): Promise<() => void> {
    const readRevoked = createRevocationNews(db.side, heard);
    const reload = async () => {
      const revoked = await readRevoked(new Date(clock.now()));
      ring = all.filter(({ publicJwk }) => !revoked.has(publicJwk.kid));
    };
    await reload();
    const [first] = all;
    if (first && !ring.includes(first))
      throw new ConfigError([
        `SIGNING_KEYS_FILE: its first key, ${first.publicJwk.kid}, was revoked and signs nothing any more`,
      ]);
    // A start tells of the others, because the file should not have them.
    for (const { publicJwk } of all.filter((key) => !ring.includes(key)))
      heard.revoked({ kid: publicJwk.kid, counts: false });
    const timer = setInterval(() => void reload().catch(onError), RELOAD_MS).unref();
    return () => clearInterval(timer);
  }

  const find = (wanted: string) => ring.find(({ publicJwk }) => publicJwk.kid === wanted);
  return {
    signer() {
      const [first] = ring;
      if (!first) throw new Error('no signing key');
      return signerOf(first);
    },
    verifier: async (wanted) => verifierOf(find(wanted)),
    knows: (wanted) => find(wanted) !== undefined,
    published: () => ring.map(({ publicJwk }) => publicJwk),
    observe: () => ({ published: ring.length, signingFor: null, readAgo: null }),
    close,
  };
}
