import { isUniqueViolation } from '../db/errors.ts';
import type { Deps } from '../deps.ts';
import { ServiceError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { newApiKey } from './api-keys.ts';
import { type Developer, insertDeveloper } from './store.ts';

/**
 * Creates a developer and its first API key, which is shown this once and stored as a hash.
 * @throws CONFLICT when the email is taken, in whatever case it is written
 */
export async function signUp(
  { db, ids, clock }: Pick<Deps, 'db' | 'ids' | 'clock'>,
  input: { name: string; email: string | null; mode: 'live' | 'sandbox' },
): Promise<{ developer: Developer; apiKey: string }> {
  const now = clock.now();
  const apiKey = newApiKey(ids, input.mode);
  const row = { ...input, id: ids.next('dev', now), keyHash: sha256(apiKey), createdAt: new Date(now) };
  try {
    return { developer: await insertDeveloper(db, row), apiKey };
  } catch (error) {
    if (isUniqueViolation(error)) throw new ServiceError('CONFLICT', 'This email is taken', { cause: error });
    throw error;
  }
}
