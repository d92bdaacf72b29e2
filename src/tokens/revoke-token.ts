import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import { revokeTokenRow } from './store.ts';

/** Revokes one token by its id. NOT_FOUND for a token that is unknown, of another developer, or already revoked. */
export async function revokeToken(
  { db, clock, telemetry }: Pick<Deps, 'db' | 'clock' | 'telemetry'>,
  { id: developerId }: Pick<Developer, 'id'>,
  jti: string,
): Promise<Outcome<null>> {
  const revoked = await revokeTokenRow(db, { developerId, jti, now: new Date(clock.now()) });
  if (!revoked) return refuse(notFound('Active token'));
  telemetry.events.tokenRevoked({ ...revoked, developerId, tokenId: jti });
  return done(null);
}
