import { boundedCount } from '../db/bounded-count.ts';
import { bigint, bytes, int, orNull, text, textOf, textsOf, timestamp } from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { timed } from '../db/removed-counts.ts';
import { takeTurn } from '../db/take-turn.ts';
import type { EventType } from '../events/event-types.ts';

export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly events: readonly EventType[];
  readonly createdAt: Date;
}

export type DeliveryStatus = 'pending' | 'delivered' | 'failed';

export interface Delivery {
  readonly id: string;
  readonly webhookId: string;
  readonly eventId: string;
  readonly eventType: EventType;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly url: string;
  readonly lastError: string | null;
  readonly createdAt: Date;
  readonly deliveredAt: Date | null;
}

const webhook = { id: text, url: text, events: textsOf<EventType>(), createdAt: timestamp };

const insert = query({
  operation: 'INSERT',
  collection: 'webhooks',
  name: 'webhooks.insert',
  text: `insert into webhooks (id, developer_id, url, events, sealed_secret, created_at)
    select $id, $developerId, $url, $events::text[], $sealedSecret, $createdAt
    where (select count(*) from webhooks where developer_id = $developerId) < $limit
    returning id, url, events, created_at as "createdAt"`,
  params: { ...webhook, developerId: text, sealedSecret: bytes, limit: bigint },
  row: webhook,
});
const list = query({
  operation: 'SELECT',
  collection: 'webhooks',
  name: 'webhooks.list',
  text: `select id, url, events, created_at as "createdAt" from webhooks where developer_id = $developerId
    order by created_at desc, id desc`,
  params: { developerId: text },
  row: webhook,
});
const key = { developerId: text, id: text };
const one = query({
  operation: 'SELECT',
  collection: 'webhooks',
  name: 'webhooks.one',
  text: `select id, url, events, created_at as "createdAt" from webhooks
    where developer_id = $developerId and id = $id`,
  params: key,
  row: webhook,
});
// What enqueues a delivery holds a share lock on this row: after this one, no delivery of the webhook is added any more.
const lock = query({
  operation: 'SELECT',
  collection: 'webhooks',
  name: 'webhooks.lock',
  text: 'select id from webhooks where developer_id = $developerId and id = $id for update',
  params: key,
  row: { id: text },
});
/** For `timed`: when the deliveries that are gone had ended. */
export const DELIVERY_TIMES = `select status, coalesce(delivered_at, failed_at), 1 from gone where status <> 'pending'`;
const removeDeliveries = query({
  operation: 'DELETE',
  collection: 'webhook_deliveries',
  name: 'webhooks.remove_deliveries',
  text: `with gone as (delete from webhook_deliveries where webhook_id = $webhookId returning status, delivered_at, failed_at),
      ${timed(DELIVERY_TIMES)}
    insert into removed_deliveries (status, total) select status, count(*) from gone group by status order by status
    on conflict (status) do update set total = removed_deliveries.total + excluded.total`,
  params: { webhookId: text },
  row: {},
});
const remove = query({
  operation: 'DELETE',
  collection: 'webhooks',
  name: 'webhooks.remove',
  text: 'delete from webhooks where id = $id',
  params: { id: text },
  row: {},
});
const owned = query({
  operation: 'SELECT',
  collection: 'webhooks',
  name: 'webhooks.owned',
  text: 'select url from webhooks where developer_id = $developerId and id = $id',
  params: key,
  row: { url: text },
});
const rotate = query({
  operation: 'UPDATE',
  collection: 'webhooks',
  name: 'webhooks.rotate_secret',
  text: `update webhooks set previous_sealed_secret = sealed_secret, previous_secret_until = $previousSecretUntil,
      sealed_secret = $sealedSecret
    where developer_id = $developerId and id = $id returning id`,
  params: { ...key, sealedSecret: bytes, previousSecretUntil: timestamp },
  row: { id: text },
});
const filter = { webhookId: text, status: orNull(textOf<DeliveryStatus>()) };
const page = query({
  operation: 'SELECT',
  collection: 'webhook_deliveries',
  name: 'webhooks.deliveries_page',
  text: `select id, webhook_id as "webhookId", event_id as "eventId", event_type as "eventType", status, attempts,
      max_attempts as "maxAttempts", last_error as "lastError", created_at as "createdAt", delivered_at as "deliveredAt"
    from webhook_deliveries where webhook_id = $webhookId and ($status::text is null or status = $status)
    order by created_at desc, id desc limit $limit offset $offset`,
  params: { ...filter, limit: bigint, offset: bigint },
  row: {
    id: text,
    webhookId: text,
    eventId: text,
    eventType: textOf<EventType>(),
    status: textOf<DeliveryStatus>(),
    attempts: int,
    maxAttempts: int,
    lastError: orNull(text),
    createdAt: timestamp,
    deliveredAt: orNull(timestamp),
  },
});
const count = query({
  operation: 'SELECT',
  collection: 'webhook_deliveries',
  name: 'webhooks.deliveries_count',
  text: boundedCount(
    'webhook_deliveries where webhook_id = $webhookId and ($status::text is null or status = $status)',
  ),
  params: filter,
  row: { total: int },
});

/**
 * Run it in a transaction: of several at once, no more are let in than there is room for.
 * @returns undefined when the developer has `limit` webhooks already
 */
export async function insertWebhook(
  tx: Queryable,
  added: Webhook & { developerId: string; sealedSecret: Buffer },
  limit: number,
): Promise<Webhook | undefined> {
  await takeTurn(tx, `webhooks of ${added.developerId}`);
  return tx.first(insert, { ...added, limit });
}

/** Newest first. */
export const listWebhooks = (db: Queryable, developerId: string): Promise<Webhook[]> =>
  db.all(list, { developerId });

/** Selects a webhook of this developer. */
export interface WebhookKey {
  readonly developerId: string;
  readonly id: string;
}

/** undefined: the developer has no such webhook. */
export const findWebhook = (db: Queryable, of: WebhookKey): Promise<Webhook | undefined> => db.first(one, of);

/**
 * Removes a webhook with its deliveries, and notes how many there were: the counters must stay explainable. Run it in a
 * transaction.
 * @returns false when the developer has no such webhook
 */
export async function removeWebhook(tx: Queryable, { developerId, id }: WebhookKey): Promise<boolean> {
  if ((await tx.first(lock, { developerId, id })) === undefined) return false;
  await tx.all(removeDeliveries, { webhookId: id });
  await tx.all(remove, { id });
  return true;
}

/**
 * The secret that the webhook has becomes the previous one, in place of an earlier.
 * @returns false when the developer has no such webhook
 */
export const replaceSecret = async (
  db: Queryable,
  { developerId, id }: WebhookKey,
  next: { readonly sealedSecret: Buffer; readonly previousSecretUntil: Date },
): Promise<boolean> => (await db.first(rotate, { developerId, id, ...next })) !== undefined;

/** Newest first; undefined when the developer has no such webhook. */
export async function listDeliveries(
  db: Queryable,
  { developerId, id: webhookId }: WebhookKey,
  { status = null }: { status?: DeliveryStatus | null | undefined },
  { limit, offset }: { limit: number; offset: number },
): Promise<{ deliveries: Delivery[]; total: number } | undefined> {
  const found = await db.first(owned, { developerId, id: webhookId });
  if (!found) return undefined;
  const [deliveries, { total }] = await Promise.all([
    db.all(page, { webhookId, status, limit, offset }),
    db.only(count, { webhookId, status }),
  ]);
  return { deliveries: deliveries.map((delivery) => ({ ...delivery, url: found.url })), total };
}
