import { type KeyMaterial, newKey, openPrivateKey } from './create-key.ts';
import { promoteKey, revokeKeyRow } from './revoked-store.ts';
import { insertKey, lockKeys, publishedKeys } from './store.ts';

/** The clock of a replica may be so far behind. It must not find that a retired key signs. */
const CLOCKS_DIFFER_MS = 60_000;

interface Revoked {
  /** false: it was revoked earlier. */
  readonly fresh: boolean;
  /** The key that signs in its place from now on; null: another one signed. */
  readonly successor: string | null;
}

/**
 * Revokes a signing key for ever: it signs and verifies nothing, and is not published, on each replica from its next reading of
 * the keys on. In place of the key that signs, the one that waits to sign does so at once, or a new one. It was then not
 * published before it signs, because every token of the key that leaked is worthless anyway.
 * @param kid of a key in the database, or of one in `fileKids`
 * @returns null when there is no such key
 * @throws when SECRET_KEY does not open the other keys
 */
export async function revokeKey(
  { db, sealer, now, algorithm }: KeyMaterial,
  { kid, fileKids }: { readonly kid: string; readonly fileKids: readonly string[] },
): Promise<Revoked | null> {
  const fresh = await newKey(sealer, algorithm, { now, signsFrom: now });
  return db
    .transaction(async (tx) => {
      await lockKeys(tx);
      const published = await publishedKeys(tx, new Date(now));
      const revoked = await revokeKeyRow(tx, { kid, now: new Date(now) });
      if (!revoked.known && !fileKids.includes(kid)) throw new UnknownKeyError();
      const left = published.filter((key) => key.kid !== kid);
      const signing = published.findLast(({ signsFrom }) => signsFrom.getTime() <= now) ?? published[0];
      if (signing?.kid !== kid) return { fresh: revoked.fresh, successor: null };

      for (const stored of left) openPrivateKey(sealer, stored);
      const retired = left.filter((key) => key.signsFrom <= signing.signsFrom);
      const after = Math.max(
        ...retired.map(({ signsFrom }) => signsFrom.getTime() + 1),
        now - CLOCKS_DIFFER_MS,
      );
      const waiting = left.find((key) => key.signsFrom > signing.signsFrom);
      const signsFrom = new Date(after);
      if (waiting) await promoteKey(tx, { kid: waiting.kid, signsFrom });
      else await insertKey(tx, { ...fresh, signsFrom });
      return { fresh: revoked.fresh, successor: (waiting ?? fresh).kid };
    })
    .catch((error: unknown) => {
      if (error instanceof UnknownKeyError) return null;
      throw error;
    });
}

/** Rolls the transaction back. */
class UnknownKeyError extends Error {}
