import { CompactSign, compactVerify, importJWK } from 'jose';
import type { KeyRing } from '../signing-keys/key-ring.ts';
import type { PublicJwk } from '../signing-keys/store.ts';
import { canonicalJson } from './chain.ts';
import type { Checkpoint, SignedHead } from './checkpoint-store.ts';

/** The explicit type (RFC 8725 §3.11): no checkpoint is a token, and no token a checkpoint. */
const TYPE = 'audit-checkpoint+jwt';

interface Said {
  readonly iss: string;
  readonly developerId: string;
  /** When the checkpoint was made, in milliseconds. */
  readonly madeAt: number;
}

/** A head as its signature says it. */
const payloadOf = (
  { seq, entryId, hash, rowHash, entryAt }: SignedHead,
  { iss, developerId, madeAt }: Said,
) => ({
  iss,
  iat: Math.floor(madeAt / 1000),
  developerId,
  seq,
  entryId,
  hash,
  rowHash,
  timestamp: entryAt.toISOString(),
});

/** Signs a head with the key that signs now: a JWS in compact form (RFC 7515 §7.1). */
export async function signHead(
  keys: Pick<KeyRing, 'signer'>,
  head: SignedHead,
  said: Said,
): Promise<{ readonly kid: string; readonly jws: string }> {
  const { kid, alg, key } = keys.signer();
  const payload = new TextEncoder().encode(JSON.stringify(payloadOf(head, said)));
  const jws = await new CompactSign(payload).setProtectedHeader({ alg, typ: TYPE, kid }).sign(key);
  return { kid, jws };
}

/** Finds the public half of a key by its id. */
export type FindKey = (kid: string) => Promise<PublicJwk | undefined>;

/**
 * Whether a stored checkpoint is signed by a key of the service, and its columns say what the signature says. The issuer is
 * not compared: PUBLIC_URL may have changed since.
 */
export async function isSound(
  checkpoint: Checkpoint,
  developerId: string,
  findKey: FindKey,
): Promise<boolean> {
  const { kid, jws, madeAt } = checkpoint;
  const jwk = await findKey(kid);
  if (!jwk) return false;
  try {
    const { payload, protectedHeader } = await compactVerify(jws, await importJWK(jwk, jwk.alg), {
      algorithms: [jwk.alg],
    });
    const said: unknown = JSON.parse(new TextDecoder().decode(payload));
    if (protectedHeader.typ !== TYPE || protectedHeader.kid !== kid) return false;
    const iss = typeof said === 'object' && said !== null && 'iss' in said ? String(said.iss) : '';
    const expected = payloadOf(checkpoint, { iss, developerId, madeAt: madeAt.getTime() });
    return canonicalJson(said) === canonicalJson(expected);
  } catch {
    // Whatever cannot be read was not written by this service.
    return false;
  }
}
