import { sha256 } from '../hash.ts';

/** The S256 challenge of a PKCE verifier (RFC 7636 §4.2). */
export const challengeOf = (verifier: string): string => sha256(verifier).toString('base64url');
