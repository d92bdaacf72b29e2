import type { Deps } from '../deps.ts';
import { unauthorized } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { newApiKey } from './api-keys.ts';
import { type Developer, replaceApiKey } from './store.ts';

/**
 * Gives a developer a new API key; the old one stops working in the same statement, on every replica.
 * @throws UNAUTHORIZED for the loser of two rotations of one key
 */
export async function rotateKey(
  { db, ids, clock }: Pick<Deps, 'db' | 'ids' | 'clock'>,
  developer: Pick<Developer, 'mode'>,
  keyHash: Buffer,
): Promise<{ apiKey: string; rotatedAt: Date }> {
  const apiKey = newApiKey(ids, developer.mode);
  const rotatedAt = new Date(clock.now());
  if (!(await replaceApiKey(db, keyHash, sha256(apiKey)))) throw unauthorized();
  return { apiKey, rotatedAt };
}
