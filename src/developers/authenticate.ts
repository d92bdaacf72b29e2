import type { Deps } from '../deps.ts';
import { unauthorized } from '../errors.ts';
import { type Developer, developerByKeyHash } from './store.ts';

/**
 * The developer whose API key has this SHA-256. Asks the database each time: no replica may let a rotated key pass.
 * @throws UNAUTHORIZED
 */
export async function authenticate({ db }: Pick<Deps, 'db'>, keyHash: Buffer): Promise<Developer> {
  const developer = await developerByKeyHash(db, keyHash);
  if (!developer) throw unauthorized();
  return developer;
}
