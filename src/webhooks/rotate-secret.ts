import type { Developer } from '../caller.ts';
import { notFound } from '../errors.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import type { RegisterDeps } from './register-webhook.ts';
import { newSecret, sealSecret } from './secret.ts';
import { replaceSecret } from './store.ts';

/** As Standard Webhooks recommends. */
const OVERLAP_MS = 24 * 60 * 60 * 1000;

/**
 * Gives a webhook a new secret, which is given out this once and is kept sealed. The one before it signs beside it until
 * `previousSecretUntil`, 24 hours from now. A secret before that one ends at once. NOT_FOUND for an unknown webhook or another
 * developer's.
 */
export async function rotateSecret(
  { db, ids, clock, telemetry, sealer }: Pick<RegisterDeps, 'db' | 'ids' | 'clock' | 'telemetry' | 'sealer'>,
  { id: developerId }: Pick<Developer, 'id'>,
  id: string,
): Promise<Outcome<{ secret: string; previousSecretUntil: Date }>> {
  const secret = newSecret(ids);
  const previousSecretUntil = new Date(clock.now() + OVERLAP_MS);
  const sealedSecret = sealSecret(sealer, id, secret);
  const replaced = await replaceSecret(db, { developerId, id }, { sealedSecret, previousSecretUntil });
  if (!replaced) return refuse(notFound('Webhook'));
  telemetry.events.adminChanged({ object: 'webhook', change: 'rotated', id, developerId });
  return done({ secret, previousSecretUntil });
}
