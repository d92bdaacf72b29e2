import type { Developer, KeyHolder } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { unauthorized } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { newApiKey } from './api-keys.ts';
import { replaceApiKey } from './store.ts';

/**
 * Gives a developer a new API key. The old key stops working in the same statement, on every replica. Of two rotations
 * of one key, the second is UNAUTHORIZED.
 */
export async function rotateKey(
  { db, ids, clock, telemetry }: Pick<Deps, 'db' | 'ids' | 'clock' | 'telemetry'>,
  { id: developerId, mode, keyHash }: Pick<Developer, 'id' | 'mode'> & KeyHolder,
): Promise<Outcome<{ apiKey: string; rotatedAt: Date }>> {
  const apiKey = newApiKey(ids, mode);
  const rotatedAt = new Date(clock.now());
  const replaced = await replaceApiKey(db, keyHash, sha256(apiKey));
  if (!replaced) return refuse(unauthorized());
  telemetry.events.adminChanged({ object: 'key', change: 'rotated', developerId });
  return done({ apiKey, rotatedAt });
}
