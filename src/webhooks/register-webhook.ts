import type { Deps } from '../deps.ts';
import { badRequest } from '../errors.ts';
import type { EventType } from './event-types.ts';
import { faultOfUrl } from './judge-url.ts';
import { newSecret, sealSecret } from './secret.ts';
import { insertWebhook, type Webhook } from './store.ts';

/**
 * Each event is written once for each webhook of its developer: that must stay a number that one statement can bear. And all
 * of them together may hang without holding up those of others.
 */
const MAX_WEBHOOKS = 20;

/**
 * Registers a webhook. Its secret is given out this once and is kept sealed.
 * @throws BAD_REQUEST for a URL that webhooks may not go to, or too many webhooks
 */
export async function registerWebhook(
  deps: Deps,
  developerId: string,
  { url, events }: { url: string; events: readonly EventType[] },
): Promise<Webhook & { secret: string }> {
  const { db, ids, clock, config, sealer } = deps;
  const fault = faultOfUrl(url, config);
  if (fault !== null) throw badRequest(fault);
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
  if (!webhook) throw badRequest(`A developer has at most ${MAX_WEBHOOKS} webhooks`);
  // The workers get ready for the first event.
  deps.deliveriesDue();
  return { ...webhook, secret };
}
