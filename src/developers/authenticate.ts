import type { Developer, KeyHolder } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { unauthorized } from '../errors.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { developerByKeyHash } from './store.ts';

/**
 * The developer whose API key has this SHA-256. UNAUTHORIZED when there is none, the developer is suspended, or the key has
 * expired. It asks the database each time, because no replica may accept a rotated key.
 */
export async function authenticate(
  { db }: Pick<Deps, 'db'>,
  { keyHash }: KeyHolder,
): Promise<Outcome<Developer>> {
  const developer = await developerByKeyHash(db, keyHash);
  if (!developer) return refuse(unauthorized());
  const { keyExpired, ...owner } = developer;
  return keyExpired ? refuse(unauthorized('api_key', 'expired')) : done(owner);
}
