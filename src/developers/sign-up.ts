import type { Developer } from '../caller.ts';
import { isUniqueViolation } from '../db/errors.ts';
import type { Deps } from '../deps.ts';
import { ServiceError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { newApiKey, prefixOf } from './api-keys.ts';
import { insertDeveloper } from './store.ts';

/**
 * Creates a developer and its first API key. The key is shown only once and stored as a hash. CONFLICT when the email
 * is taken, in upper or lower case.
 */
export async function signUp(
  { db, ids, clock, telemetry }: Pick<Deps, 'db' | 'ids' | 'clock' | 'telemetry'>,
  _caller: null,
  input: Pick<Developer, 'name' | 'email' | 'mode'>,
): Promise<Outcome<Developer & { apiKey: string }>> {
  const now = clock.now();
  const apiKey = newApiKey(ids, input.mode);
  const row = {
    ...input,
    id: ids.next('dev', now),
    keyId: ids.next('key', now),
    keyHash: sha256(apiKey),
    keyPrefix: prefixOf(apiKey),
    createdAt: new Date(now),
  };
  try {
    const developer = await insertDeveloper(db, row);
    telemetry.events.adminChanged({ object: 'developer', change: 'created', developerId: developer.id });
    return done({ ...developer, apiKey });
  } catch (error) {
    if (isUniqueViolation(error))
      return refuse(new ServiceError('CONFLICT', 'This email is taken', { cause: error }));
    throw error;
  }
}
