import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { revokeTokenRow } from './store.ts';

/** Revokes one token by its id. NOT_FOUND for a token that is unknown, of another developer, or already revoked. */
export async function revokeToken(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  { id: developerId }: Pick<Developer, 'id'>,
  jti: string,
): Promise<Outcome<null>> {
  const revoked = await revokeTokenRow(db, { developerId, jti, now: new Date(clock.now()) });
  return revoked ? done(null) : refuse(notFound('Active token'));
}
