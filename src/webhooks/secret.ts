import type { Ids } from '../ids.ts';
import type { Sealer } from '../secrets/sealing.ts';

const SECRET_BYTES = 32;
const PREFIX = 'whsec_';

/** A new secret as Standard Webhooks writes it: `whsec_` and base64. */
export const newSecret = (ids: Ids): string =>
  PREFIX + Buffer.from(ids.secret(SECRET_BYTES), 'base64url').toString('base64');

/** The key that `webhook-signature` is made with: the bytes that the secret stands for. */
export const standardKey = (secret: string): Buffer =>
  Buffer.from(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret, 'base64');

/** What a secret is sealed for. */
export const purposeOf = (webhookId: string) => `webhook:${webhookId}`;

/** A secret as it is stored; it opens for this webhook alone. */
export const sealSecret = (sealer: Sealer, webhookId: string, secret: string): Buffer =>
  sealer.seal(secret, purposeOf(webhookId));

/** @throws when it was sealed with another SECRET_KEY */
export const openSecret = (sealer: Sealer, webhookId: string, sealed: Buffer): string =>
  sealer.open(sealed, purposeOf(webhookId));

/** The secrets of a webhook as they are stored. */
export interface SealedSecrets {
  readonly webhookId: string;
  readonly sealedSecret: Buffer;
  /** The secret before the last rotation. It signs too until `previousSecretUntil`. */
  readonly previousSealedSecret: Buffer | null;
  readonly previousSecretUntil: Date | null;
}

/**
 * What signs at `now` (milliseconds since the epoch), the newest first.
 * @throws when one of these was sealed with another SECRET_KEY
 */
export function secretsAt(
  sealer: Sealer,
  { webhookId, sealedSecret, previousSealedSecret, previousSecretUntil }: SealedSecrets,
  now: number,
): [string, ...string[]] {
  const secret = openSecret(sealer, webhookId, sealedSecret);
  if (!previousSealedSecret || !previousSecretUntil || previousSecretUntil.getTime() <= now) return [secret];
  return [secret, openSecret(sealer, webhookId, previousSealedSecret)];
}
