import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { agentDid } from '../agents/store.ts';
import type { Deps } from '../deps.ts';
import type { VerificationFailure } from '../telemetry/events.ts';

const ALGORITHM = 'RS256';

/** The facts of a grant that its tokens carry. */
export interface TokenSubject {
  readonly grantId: string;
  readonly agentId: string;
  readonly developerId: string;
  readonly principalId: string;
  readonly audience: string | null;
  readonly scopes: readonly string[];
  readonly expiresAt: Date;
  /** Of a delegated grant. */
  readonly parent?: { readonly agentId: string; readonly grantId: string; readonly depth: number };
}

/** The claims of a grant token whose signature, issuer and times hold. */
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
 * Signs a grant token (RFC 7519, RS256) off the event loop. The token id and the key's id were stored before with the
 * grant, so a token that cannot be verified is never given out.
 */
export function signGrantToken(
  { telemetry, issuer, clock }: Pick<Deps, 'telemetry' | 'issuer' | 'clock'>,
  signer: ReturnType<Deps['keys']['signer']>,
  jti: string,
  subject: TokenSubject,
): Promise<string> {
  const { grantId, agentId, developerId, principalId, audience, scopes, expiresAt, parent } = subject;
  return telemetry.inSpan('grantex.token.sign', { 'grantex.grant_id': grantId }, () =>
    new SignJWT({
      iss: issuer(),
      sub: principalId,
      ...(audience !== null && { aud: audience }),
      agt: agentDid(agentId),
      dev: developerId,
      grnt: grantId,
      scp: scopes,
      iat: Math.floor(clock.now() / 1000),
      exp: Math.floor(expiresAt.getTime() / 1000),
      jti,
      ...(parent && {
        parentAgt: agentDid(parent.agentId),
        parentGrnt: parent.grantId,
        delegationDepth: parent.depth,
      }),
    })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT', kid: signer.kid })
      .sign(signer.key),
  );
}

/** Checks what a token says of itself: form, algorithm, signature, issuer, expiry. Whether it was revoked only the database knows. */
export async function readGrantToken(
  { keys, issuer, clock }: Pick<Deps, 'keys' | 'issuer' | 'clock'>,
  token: string,
): Promise<ReadToken> {
  try {
    const { payload } = await jwtVerify(
      token,
      async ({ kid }) => {
        const key = kid === undefined ? undefined : await keys.verifier(kid);
        if (!key) throw new errors.JWKSNoMatchingKey();
        return key;
      },
      { algorithms: [ALGORITHM], issuer: issuer(), typ: 'JWT', currentDate: new Date(clock.now()) },
    );
    return isGrantClaims(payload) ? { valid: true, claims: payload } : { valid: false, reason: 'malformed' };
  } catch (error) {
    return refusal(error);
  }
}

function refusal(error: unknown): ReadToken {
  // Only of a token whose signature holds is the id worth logging: any other is whatever the caller wrote.
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
