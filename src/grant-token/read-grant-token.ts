import { errors, type JWTPayload, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { isCompactJws } from '../compact-jws.ts';
import { sha256 } from '../hash.ts';
import type { VerificationFailure } from '../label-values.ts';
import type { KeyRing } from '../signing-keys/key-ring.ts';

/** The claims of a grant token with a valid signature, the right issuer and valid times. */
export interface GrantClaims extends JWTPayload {
  readonly sub: string;
  readonly agt: string;
  readonly dev: string;
  readonly grnt: string;
  readonly scp: readonly string[];
  readonly jti: string;
  readonly exp: number;
}

export type ReadToken =
  | { readonly valid: true; readonly claims: GrantClaims }
  | { readonly valid: false; readonly reason: VerificationFailure; readonly tokenId?: string };

/**
 * Checks everything that the token itself shows: form, algorithm, signature, issuer, expiry. Only the database knows
 * whether it was revoked.
 */
export type ReadGrantToken = (token: string) => Promise<ReadToken>;

const ALGORITHMS = ['RS256', 'ES256'];
/** Of GRANT_TOKEN_TYPE, which may have changed since the token was issued. */
const TYPES: readonly unknown[] = ['JWT', 'at+jwt'];
/** The memory of remembered claims, in bytes. */
const MAX_REMEMBERED_BYTES = 20_000_000;
/** A map entry with its hash, and the claims without their scopes. Measured, like the bytes of a scope beside its text. */
const ENTRY_BYTES = 700;
const SCOPE_BYTES = 40;

/**
 * Makes the one reader of grant tokens. A valid signature stays valid, so the reader checks it once and remembers the
 * result under the token's hash. It checks expiry, and whether the key is still published, every time.
 */
export function createTokenReader({
  keys,
  issuer,
  clock,
}: {
  keys: Pick<KeyRing, 'verifier' | 'knows'>;
  issuer: () => string;
  clock: Clock;
}): ReadGrantToken {
  const remembered = new LRUCache<string, { kid: string; claims: GrantClaims }>({
    maxSize: MAX_REMEMBERED_BYTES,
    sizeCalculation: ({ claims }) => bytesOf(claims),
  });

  const check = async (token: string, tokenHash: string): Promise<ReadToken> => {
    try {
      const { payload, protectedHeader } = await jwtVerify(
        token,
        async ({ kid, alg }) => {
          const verifier = kid === undefined ? undefined : await keys.verifier(kid);
          if (!verifier) throw new errors.JWKSNoMatchingKey();
          if (verifier.alg !== alg) throw new errors.JOSEAlgNotAllowed();
          return verifier.key;
        },
        { algorithms: ALGORITHMS, issuer: issuer(), currentDate: new Date(clock.now()) },
      );
      if (!TYPES.includes(protectedHeader.typ) || !isGrantClaims(payload))
        return { valid: false, reason: 'malformed' };
      remembered.set(tokenHash, { kid: protectedHeader.kid ?? '', claims: payload });
      return { valid: true, claims: payload };
    } catch (error) {
      return refusal(error);
    }
  };

  return async (token) => {
    const tokenHash = sha256(token).toString('base64');
    const known = remembered.get(tokenHash);
    if (!known || !keys.knows(known.kid))
      return isCompactJws(token) ? check(token, tokenHash) : { valid: false, reason: 'malformed' };
    const { claims } = known;
    if (claims.exp <= Math.floor(clock.now() / 1000))
      return { valid: false, reason: 'expired', tokenId: claims.jti };
    return { valid: true, claims };
  };
}

function refusal(error: unknown): ReadToken {
  // Only an id from a token with a valid signature is worth logging. Any other id is arbitrary text from the caller.
  if (error instanceof errors.JWTExpired)
    return {
      valid: false,
      reason: 'expired',
      ...(typeof error.payload.jti === 'string' && { tokenId: error.payload.jti }),
    };
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return { valid: false, reason: 'bad_signature' };
  if (error instanceof errors.JOSEAlgNotAllowed) return { valid: false, reason: 'bad_signature' };
  if (error instanceof errors.JWKSNoMatchingKey) return { valid: false, reason: 'unknown_key' };
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'iss')
    return { valid: false, reason: 'wrong_issuer' };
  if (error instanceof errors.JOSEError || error instanceof TypeError)
    return { valid: false, reason: 'malformed' };
  throw error;
}

const isGrantClaims = (payload: JWTPayload): payload is GrantClaims =>
  [payload.sub, payload.jti, payload['agt'], payload['dev'], payload['grnt']].every(
    (claim) => typeof claim === 'string',
  ) &&
  Array.isArray(payload['scp']) &&
  typeof payload.exp === 'number';

/** About the bytes of memory that these claims take. A character may take two. */
const bytesOf = ({ scp, sub, aud }: GrantClaims): number =>
  scp.reduce(
    (bytes, scope) => bytes + SCOPE_BYTES + 2 * scope.length,
    ENTRY_BYTES + 2 * (sub.length + String(aud ?? '').length),
  );
