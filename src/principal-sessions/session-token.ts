import { hkdfSync } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import type { Principal } from '../caller.ts';
import type { Clock } from '../clock.ts';
import { isCompactJws } from '../compact-jws.ts';
import { unauthorized } from '../errors.ts';
import type { AuthenticationReason } from '../label-values.ts';
import { done, type Outcome, refuse } from '../outcome.ts';

/** Makes and reads the session tokens of principals. */
export interface SessionTokens {
  /** Makes a token that is valid for `seconds` from now. `expiresAt` is its `exp`, a whole second. */
  issue(principal: Principal, seconds: number): Promise<{ token: string; expiresAt: Date }>;
  /** Reads a session token of this service that has not expired. Refuses all other texts with UNAUTHORIZED. */
  read(token: string): Promise<Outcome<Principal>>;
}

const ALGORITHM = 'HS256';
const TYPE = 'principal-session+jwt';
const KEY_BYTES = 32;

const refused = (reason: AuthenticationReason) => refuse(unauthorized('session_token', reason));

/**
 * Session tokens are JWTs (RFC 7519). A verifier of grant tokens cannot mistake one for a grant token, nor the reverse.
 * They have a separate key, which is derived from SECRET_KEY (RFC 5869) and never published, another algorithm, another
 * type (RFC 8725 §3.11) and an audience. Replicas share the secret, so each can read the tokens of the others without
 * the database. For the same reason a token cannot be revoked, and is therefore short-lived.
 */
export function createSessionTokens({
  secretKey,
  otherKey = null,
  issuer,
  clock,
}: {
  secretKey: Buffer;
  /** Tokens of this one are read too. */
  otherKey?: Buffer | null;
  issuer: () => string;
  clock: Clock;
}): SessionTokens {
  const derived = (secret: Buffer) =>
    new Uint8Array(hkdfSync('sha256', secret, '', 'grantex principal session', KEY_BYTES));
  const key = derived(secretKey);
  const others = otherKey ? [derived(otherKey)] : [];
  const audience = () => `${issuer()}/v1/principal`;
  const verify = (token: string, by: Uint8Array) =>
    jwtVerify(token, by, {
      algorithms: [ALGORITHM],
      typ: TYPE,
      issuer: issuer(),
      audience: audience(),
      requiredClaims: ['exp'],
      currentDate: new Date(clock.now()),
    }).catch((error: unknown): AuthenticationReason => {
      // The signature is checked before the claims: only a session of this service can be an expired one.
      if (error instanceof errors.JWTExpired) return 'expired';
      if (error instanceof errors.JOSEError || error instanceof TypeError) return 'unknown';
      throw error;
    });

  return {
    async issue({ developerId, principalId }, seconds) {
      const iat = Math.floor(clock.now() / 1000);
      const exp = iat + seconds;
      const token = await new SignJWT({
        iss: issuer(),
        aud: audience(),
        sub: principalId,
        dev: developerId,
        iat,
        exp,
      })
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
        .sign(key);
      return { token, expiresAt: new Date(exp * 1000) };
    },
    async read(token) {
      if (!isCompactJws(token)) return refused('malformed');
      let verified = await verify(token, key);
      for (const other of others) if (verified === 'unknown') verified = await verify(token, other);
      if (typeof verified === 'string') return refused(verified);
      const { sub: principalId, dev: developerId } = verified.payload;
      if (typeof principalId !== 'string' || typeof developerId !== 'string') return refused('unknown');
      return done({ developerId, principalId });
    },
  };
}
