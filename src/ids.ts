import { randomBytes, randomFillSync } from 'node:crypto';
import { ulid } from 'ulid';

export type IdPrefix = 'dev' | 'key' | 'ag' | 'areq' | 'grnt' | 'tok' | 'alog' | 'pol' | 'wh' | 'evt' | 'anm';

/** The decentralised identifier of an agent. */
export const agentDid = (agentId: string): string => `did:grantex:${agentId}`;

/** Where identifiers and secrets come from; injected, so that a test can hold them still. */
export interface Ids {
  /**
   * A new identifier: prefix and ULID. Its 80 random bits are fresh each time (not the monotonic ULID variant, whose
   * next value can be guessed), because the id of an authorization request is a secret until it is decided.
   */
  next(prefix: IdPrefix, now: number): string;
  /** `bytes` of cryptographic randomness as base64url. */
  secret(bytes: number): string;
}

/** Random bytes drawn in bulk. `ulid` needs sixteen per id, and each would otherwise be a system call. */
const pool = new Uint8Array(4096);
let drawn = pool.length;
function randomFraction(): number {
  if (drawn === pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  return (pool[drawn++] ?? 0) / 256;
}

export const systemIds: Ids = {
  next: (prefix, now) => `${prefix}_${ulid(now, randomFraction)}`,
  secret: (bytes) => randomBytes(bytes).toString('base64url'),
};
