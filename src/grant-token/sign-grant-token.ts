import { SignJWT } from 'jose';
import type { Deps } from '../deps.ts';
import { agentDid } from '../ids.ts';
import type { Signer } from '../signing-keys/key-ring.ts';

export const ALGORITHM = 'RS256';

export type SignDeps = Pick<Deps, 'telemetry' | 'issuer' | 'clock'>;

/** The facts of a grant that its tokens carry. */
export interface TokenSubject {
  readonly grantId: string;
  readonly agentId: string;
  readonly developerId: string;
  readonly principalId: string;
  readonly audience: string | null;
  readonly scopes: readonly string[];
  readonly expiresAt: Date;
  /** Only on a delegated grant. */
  readonly parent?: { readonly agentId: string; readonly grantId: string; readonly depth: number };
}

/**
 * Signs a grant token (RFC 7519, RS256) off the event loop. The token id and the key's id are already stored with the
 * grant, so the service never gives out a token that it cannot verify.
 */
export function signGrantToken(
  { telemetry, issuer, clock }: SignDeps,
  signer: Signer,
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
