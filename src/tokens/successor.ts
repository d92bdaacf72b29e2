import { createHmac, hkdfSync } from 'node:crypto';
import { sha256 } from '../hash.ts';

const KEY_BYTES = 32;

/** The secret part of the refresh token that follows `presented` for a request with this `Idempotency-Key`. */
export type SuccessorOf = (presented: string, idempotencyKey: string) => string;

/**
 * Derives the successors of refresh tokens, so that every retry of a refresh gets the same one, on every replica,
 * although the service stores only hashes. The key comes from SECRET_KEY (RFC 5869), which replicas share. Who knows
 * a presented token and its `Idempotency-Key` still cannot compute the successor.
 */
export function createSuccessors(secretKey: Buffer): SuccessorOf {
  const key = Buffer.from(hkdfSync('sha256', secretKey, '', 'grantex refresh successor', KEY_BYTES));
  // Hashes have one length, so no two pairs of texts give the same input.
  return (presented, idempotencyKey) =>
    createHmac('sha256', key).update(sha256(presented)).update(sha256(idempotencyKey)).digest('base64url');
}
