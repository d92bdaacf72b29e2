import type { Deps } from '../deps.ts';
import { sha256 } from '../hash.ts';
import { signGrantToken } from '../keys/grant-token.ts';
import type { IssuedGrant, NewToken } from './store.ts';

const REFRESH_TOKEN_BYTES = 32;

/** What a successful exchange or refresh answers with. */
export interface TokenPair {
  readonly grantToken: string;
  readonly expiresAt: Date;
  readonly scopes: readonly string[];
  readonly refreshToken: string;
  readonly grantId: string;
}

/** A token and refresh token that are about to be stored; `row` goes into the statement. */
export interface PreparedToken {
  readonly row: NewToken;
  readonly refreshToken: string;
  readonly signer: ReturnType<Deps['keys']['signer']>;
}

/** Chooses ids, secrets and the signing key before the statement runs, so that it alone decides. */
export function prepareToken({ ids, keys }: Pick<Deps, 'ids' | 'keys'>, now: number): PreparedToken {
  const signer = keys.signer();
  const refreshToken = `ref_${ids.secret(REFRESH_TOKEN_BYTES)}`;
  const row = { jti: ids.next('tok', now), kid: signer.kid, refreshHash: sha256(refreshToken) };
  return { row, refreshToken, signer };
}

/**
 * Signs the token of a stored grant. The code or refresh token is used up by then: were this process to die here, the
 * caller would have to ask anew, which is better than a signed token that no row knows of.
 */
export async function issueToken(
  deps: Deps,
  { row, refreshToken, signer }: PreparedToken,
  owner: { developerId: string; agentId: string },
  grant: IssuedGrant,
): Promise<TokenPair> {
  const { grantId, principalId, audience, scopes, expiresAt } = grant;
  const parent =
    grant.parentGrantId !== null && grant.parentAgentId !== null
      ? { agentId: grant.parentAgentId, grantId: grant.parentGrantId, depth: grant.delegationDepth }
      : undefined;
  const subject = { ...owner, grantId, principalId, audience, scopes, expiresAt, ...(parent && { parent }) };
  const grantToken = await signGrantToken(deps, signer, row.jti, subject);
  return { grantToken, expiresAt, scopes, refreshToken, grantId };
}
