import { SignJWT } from 'jose';
import type { Deps } from '../deps.ts';
import type { Signer } from '../signing-keys/key-ring.ts';
import { grantClaims, type TokenSubject } from './claims.ts';

export type SignDeps = Pick<Deps, 'telemetry' | 'issuer' | 'clock' | 'config'>;

/**
 * Signs a grant token (RFC 7519) off the event loop, with the algorithm of the key. The token id and the key's id are
 * already stored with the grant, so the service never gives out a token that it cannot verify.
 */
export function signGrantToken(
  { telemetry, issuer, clock, config }: SignDeps,
  signer: Signer,
  jti: string,
  subject: TokenSubject,
): Promise<string> {
  return telemetry.inSpan('grantex.token.sign', { 'grantex.grant_id': subject.grantId }, () =>
    new SignJWT({
      iss: issuer(),
      ...grantClaims(subject),
      iat: Math.floor(clock.now() / 1000),
      exp: Math.floor(subject.expiresAt.getTime() / 1000),
      jti,
    })
      .setProtectedHeader({ alg: signer.alg, typ: config.grantTokenType, kid: signer.kid })
      .sign(signer.key),
  );
}
