import type { Developer } from '../caller.ts';
import type { ReadGrantToken } from '../grant-token/read-grant-token.ts';
import { type RevokeDeps, revokeGrant } from '../grants/revoke-grants.ts';
import { sha256 } from '../hash.ts';
import { done, type Outcome } from '../outcome.ts';
import { revokeToken } from '../tokens/revoke-token.ts';
import { grantOfRefreshToken } from './store.ts';

export type RevokePresentedDeps = RevokeDeps & { readonly readGrantToken: ReadGrantToken };

/**
 * Revokes a presented token (RFC 7009): a grant token by its id, a refresh token with its whole grant and everything
 * delegated from it (§2.1). It succeeds for what is unknown, of another developer or revoked already, as §2.2 asks.
 */
export async function revokePresented(
  deps: RevokePresentedDeps,
  developer: Pick<Developer, 'id'>,
  token: string,
): Promise<Outcome<null>> {
  const read = await deps.readGrantToken(token);
  const jti = read.valid ? read.claims.jti : read.tokenId;
  // Both use cases refuse only what is not there to be revoked.
  if (jti !== undefined) {
    await revokeToken(deps, developer, jti);
    return done(null);
  }
  const presented = { developerId: developer.id, presentedHash: sha256(token) };
  const grantId = await grantOfRefreshToken(deps.db, presented);
  if (grantId !== null) await revokeGrant(deps, developer, grantId);
  return done(null);
}
