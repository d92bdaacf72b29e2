import type { Developer } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { done, type Outcome, refuse } from '../outcome.ts';
import {
  type Delivery,
  type DeliveryStatus,
  findWebhook,
  listDeliveries,
  listWebhooks,
  removeWebhook,
  type Webhook,
} from './store.ts';

type Caller = Pick<Developer, 'id'>;

/** All webhooks of a developer, newest first. */
export const ownWebhooks = async ({ db }: Pick<Deps, 'db'>, { id }: Caller): Promise<Outcome<Webhook[]>> =>
  done(await listWebhooks(db, id));

/** One webhook; NOT_FOUND for an unknown one or another developer's. */
export async function ownWebhook(
  { db }: Pick<Deps, 'db'>,
  { id: developerId }: Caller,
  id: string,
): Promise<Outcome<Webhook>> {
  const found = await findWebhook(db, { developerId, id });
  return found ? done(found) : refuse(notFound('Webhook'));
}

/** Removes a webhook with its deliveries; NOT_FOUND for an unknown one or another developer's. */
export async function deleteWebhook(
  { db, telemetry }: Pick<Deps, 'db' | 'telemetry'>,
  { id: developerId }: Caller,
  id: string,
): Promise<Outcome<null>> {
  const removed = await db.transaction((tx) => removeWebhook(tx, { developerId, id }));
  if (!removed) return refuse(notFound('Webhook'));
  telemetry.events.adminChanged({ object: 'webhook', change: 'deleted', id, developerId });
  return done(null);
}

export interface DeliveriesInput {
  readonly webhookId: string;
  readonly status: DeliveryStatus | undefined;
  readonly page: { readonly limit: number; readonly offset: number };
}

/** One page of a webhook's deliveries, newest first; NOT_FOUND as for `deleteWebhook`. */
export async function deliveriesOfWebhook(
  { db }: Pick<Deps, 'db'>,
  { id: developerId }: Caller,
  { webhookId, status, page }: DeliveriesInput,
): Promise<Outcome<{ deliveries: Delivery[]; total: number }>> {
  const found = await listDeliveries(db, { developerId, id: webhookId }, { status }, page);
  return found ? done(found) : refuse(notFound('Webhook'));
}
