/**
 * Grant tokens: how they are made, signed and read, and how large they may become. This room has no table.
 * The statements of `tokens` and `grants` store what this room prepares. Those rooms then call it to sign the token.
 */
import type { Deps } from '../deps.ts';
import { sha256 } from '../hash.ts';
import type { KeyRing, Signer } from '../signing-keys/key-ring.ts';
import { activeTraceParent } from '../telemetry/trace-parent.ts';
import type { TokenSubject } from './claims.ts';
import { type SignDeps, signGrantToken } from './sign-grant-token.ts';

const REFRESH_TOKEN_BYTES = 32;

/**
 * A new token of a grant in the form in which it is stored: its id, the signing key's id, and the hash of its refresh
 * token.
 */
export interface NewToken {
  readonly jti: string;
  readonly kid: string;
  readonly refreshHash: Buffer;
  /** The longest life of the grant token, in seconds. */
  readonly tokenSeconds: number;
  /** Used by the webhook deliveries that announce the token. */
  readonly traceparent: string | null;
  readonly maxAttempts: number;
}

/** A token and refresh token before they are stored; `row` goes into the statement. */
export interface PreparedToken {
  readonly row: NewToken;
  readonly refreshToken: string;
  readonly signer: Signer;
}

/** The answer to a code, a refresh token, or a delegation. */
export interface TokenPair {
  readonly grantToken: string;
  /** When the grant token expires. */
  readonly expiresAt: Date;
  readonly grantExpiresAt: Date;
  readonly scopes: readonly string[];
  readonly refreshToken: string;
  readonly grantId: string;
}

/** What preparing and signing a token requires. */
export type IssueDeps = SignDeps & Pick<Deps, 'ids'> & { readonly keys: Pick<KeyRing, 'signer'> };

/**
 * Chooses ids, secrets and the signing key before the statement runs, so that the statement alone decides.
 * @param secret what the refresh token consists of after its prefix; by default it is random
 */
export function prepareToken(
  { ids, keys, config }: IssueDeps,
  now: number,
  secret = ids.secret(REFRESH_TOKEN_BYTES),
): PreparedToken {
  const signer = keys.signer();
  const refreshToken = `ref_${secret}`;
  const row = {
    jti: ids.next('tok', now),
    kid: signer.kid,
    refreshHash: sha256(refreshToken),
    tokenSeconds: config.grantTokenMaxSeconds,
    traceparent: activeTraceParent(),
    maxAttempts: config.webhookMaxAttempts,
  };
  return { row, refreshToken, signer };
}

/**
 * Signs the token of a stored grant. At this point the code or refresh token is already used. If the process dies here,
 * the caller has to start again. That is better than a signed token without a row.
 */
export async function issueToken(
  deps: SignDeps,
  { row, refreshToken, signer }: PreparedToken,
  subject: TokenSubject,
): Promise<TokenPair> {
  const grantToken = await signGrantToken(deps, signer, row.jti, subject);
  const { expiresAt, grantExpiresAt, scopes, grantId } = subject;
  return { grantToken, expiresAt, grantExpiresAt, scopes, refreshToken, grantId };
}
