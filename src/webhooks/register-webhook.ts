import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { badRequest } from '../errors.ts';
import type { EventType } from '../events/event-types.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import type { Sealer } from '../secrets/sealing.ts';
import { faultOfUrl } from './judge-url.ts';
import { newSecret, sealSecret } from './secret.ts';
import { insertWebhook, type Webhook } from './store.ts';

/**
 * Each event is written once for each webhook of its developer, in one statement. If all of them hang, they must not hold
 * up those of other developers.
 */
const MAX_WEBHOOKS = 20;

export type RegisterDeps = Pick<Deps, 'db' | 'ids' | 'clock' | 'config' | 'deliveriesDue' | 'telemetry'> & {
  readonly sealer: Sealer;
};

/**
 * Registers a webhook. Its secret is given out this once and is kept sealed. BAD_REQUEST for a URL that webhooks may not
 * go to, or too many webhooks.
 */
export async function registerWebhook(
  deps: RegisterDeps,
  { id: developerId }: Pick<Developer, 'id'>,
  { url, events }: { url: string; events: readonly EventType[] },
): Promise<Outcome<Webhook & { secret: string }>> {
  const { db, ids, clock, config, sealer } = deps;
  const fault = faultOfUrl(url, config);
  if (fault !== null) return refuse(badRequest(fault));
  const now = clock.now();
  const id = ids.next('wh', now);
  const secret = newSecret(ids);
  const row = {
    id,
    developerId,
    url,
    events: [...new Set(events)],
    sealedSecret: sealSecret(sealer, id, secret),
    createdAt: new Date(now),
  };
  const webhook = await db.transaction((tx) => insertWebhook(tx, row, MAX_WEBHOOKS));
  if (!webhook) return refuse(badRequest(`A developer has at most ${MAX_WEBHOOKS} webhooks`));
  // The workers get ready for the first event.
  deps.deliveriesDue();
  deps.telemetry.events.adminChanged({ object: 'webhook', change: 'created', id, developerId });
  return done({ ...webhook, secret });
}
