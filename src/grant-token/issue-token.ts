/**
 * Grant tokens: how they are made, signed and read, and how large they may become. No table of its own: the statements of
 * `tokens` and `grants` store what is prepared here, and then have it signed.
 */
import type { Deps } from '../deps.ts';
import { sha256 } from '../hash.ts';
import type { KeyRing, Signer } from '../signing-keys/key-ring.ts';
import { activeTraceParent } from '../telemetry/trace-parent.ts';
import { type SignDeps, signGrantToken, type TokenSubject } from './sign-grant-token.ts';

const REFRESH_TOKEN_BYTES = 32;

/** A new token of a grant as it is stored: its id, the key that will sign it, and the hash of its refresh token. */
export interface NewToken {
  readonly jti: string;
  readonly kid: string;
  readonly refreshHash: Buffer;
  /** For the webhook deliveries that announce it. */
  readonly traceparent: string | null;
  readonly maxAttempts: number;
}

/** A token and refresh token that are about to be stored; `row` goes into the statement. */
export interface PreparedToken {
  readonly row: NewToken;
  readonly refreshToken: string;
  readonly signer: Signer;
}

/** What a caller gets for a code, a refresh token, or a delegation. */
export interface TokenPair {
  readonly grantToken: string;
  readonly expiresAt: Date;
  readonly scopes: readonly string[];
  readonly refreshToken: string;
  readonly grantId: string;
}

/** What it takes to prepare a token and to sign it. */
export type IssueDeps = SignDeps & Pick<Deps, 'ids' | 'config'> & { readonly keys: Pick<KeyRing, 'signer'> };

/** Chooses ids, secrets and the signing key before the statement runs, so that it alone decides. */
export function prepareToken({ ids, keys, config }: IssueDeps, now: number): PreparedToken {
  const signer = keys.signer();
  const refreshToken = `ref_${ids.secret(REFRESH_TOKEN_BYTES)}`;
  const row = {
    jti: ids.next('tok', now),
    kid: signer.kid,
    refreshHash: sha256(refreshToken),
    traceparent: activeTraceParent(),
    maxAttempts: config.webhookMaxAttempts,
  };
  return { row, refreshToken, signer };
}

/**
 * Signs the token of a stored grant. By then the code or refresh token is used up. If this process dies here, the caller
 * has to ask anew: that is better than a signed token that no row knows of.
 */
export async function issueToken(
  deps: SignDeps,
  { row, refreshToken, signer }: PreparedToken,
  subject: TokenSubject,
): Promise<TokenPair> {
  const grantToken = await signGrantToken(deps, signer, row.jti, subject);
  const { expiresAt, scopes, grantId } = subject;
  return { grantToken, expiresAt, scopes, refreshToken, grantId };
}
