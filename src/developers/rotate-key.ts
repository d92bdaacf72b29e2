import type { Developer, KeyHolder } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { unauthorized } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { newApiKey, prefixOf } from './api-keys.ts';
import { lockKeysOf, rotateKeyRow } from './keys-store.ts';
import { MAX_KEYS, tooManyKeys } from './manage-keys.ts';

/**
 * Gives a developer a new API key in place of the one that was presented, with the same name and lifetime. The old key works
 * for `overlapSeconds` more; with 0 it stops at the commit, on every replica. Of two rotations of one key without an overlap, the
 * second is UNAUTHORIZED. CONFLICT when an overlap would make too many keys.
 */
export async function rotateKey(
  { db, ids, clock, telemetry }: Pick<Deps, 'db' | 'ids' | 'clock' | 'telemetry'>,
  { id: developerId, mode, keyHash }: Pick<Developer, 'id' | 'mode'> & KeyHolder,
  { overlapSeconds }: { readonly overlapSeconds: number },
): Promise<Outcome<{ apiKey: string; rotatedAt: Date }>> {
  const apiKey = newApiKey(ids, mode);
  const { known, rotatedAt } = await db.transaction(async (tx) => {
    await lockKeysOf(tx, developerId);
    return rotateKeyRow(tx, {
      oldHash: keyHash,
      overlap: overlapSeconds,
      id: ids.next('key', clock.now()),
      hash: sha256(apiKey),
      prefix: prefixOf(apiKey),
      limit: MAX_KEYS,
    });
  });
  if (!known) return refuse(unauthorized());
  if (!rotatedAt) return refuse(tooManyKeys());
  telemetry.events.adminChanged({ object: 'key', change: 'rotated', developerId });
  return done({ apiKey, rotatedAt });
}
