import { countOf } from '../db/count.ts';
import { inTurn } from '../db/in-turn.ts';
import type { Queryable } from '../db/queryable.ts';
import { describeStatement } from '../telemetry/database.ts';
import type { EventType } from './event-types.ts';

export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly events: readonly EventType[];
  readonly createdAt: Date;
}

export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

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

const insert = describeStatement({
  operation: 'INSERT',
  collection: 'webhooks',
  name: 'webhooks.insert',
  text: `insert into webhooks (id, developer_id, url, events, sealed_secret, created_at)
    select $2, $1, $3, $4::text[], $5, $6
    where (select count(*) from webhooks where developer_id = $1) < $7
    returning id, url, events, created_at as "createdAt"`,
});
const list = describeStatement({
  operation: 'SELECT',
  collection: 'webhooks',
  name: 'webhooks.list',
  text: `select id, url, events, created_at as "createdAt" from webhooks where developer_id = $1
    order by created_at desc, id desc`,
});
// What enqueues a delivery holds a share lock on this row: after this one, no delivery of the webhook is added any more.
const lock = describeStatement({
  operation: 'SELECT',
  collection: 'webhooks',
  name: 'webhooks.lock',
  text: 'select id from webhooks where developer_id = $1 and id = $2 for update',
});
const removeDeliveries = describeStatement({
  operation: 'DELETE',
  collection: 'webhook_deliveries',
  name: 'webhooks.remove_deliveries',
  text: `with gone as (delete from webhook_deliveries where webhook_id = $1 returning status)
    insert into removed_deliveries (status, total) select status, count(*) from gone group by status order by status
    on conflict (status) do update set total = removed_deliveries.total + excluded.total`,
});
const remove = describeStatement({
  operation: 'DELETE',
  collection: 'webhooks',
  name: 'webhooks.remove',
  text: 'delete from webhooks where id = $1',
});
const owned = describeStatement({
  operation: 'SELECT',
  collection: 'webhooks',
  name: 'webhooks.owned',
  text: 'select url from webhooks where developer_id = $1 and id = $2',
});
const page = describeStatement({
  operation: 'SELECT',
  collection: 'webhook_deliveries',
  name: 'webhooks.deliveries_page',
  text: `select id, webhook_id as "webhookId", event_id as "eventId", event_type as "eventType", status, attempts,
      max_attempts as "maxAttempts", last_error as "lastError", created_at as "createdAt", delivered_at as "deliveredAt"
    from webhook_deliveries where webhook_id = $1 and ($2::text is null or status = $2)
    order by created_at desc, id desc limit $3 offset $4`,
});
const count = describeStatement({
  operation: 'SELECT',
  collection: 'webhook_deliveries',
  name: 'webhooks.deliveries_count',
  text: `select count(*)::int as total from webhook_deliveries
    where webhook_id = $1 and ($2::text is null or status = $2)`,
});

/**
 * To be run in a transaction: of several at once, no more are let in than there is room for.
 * @returns undefined when the developer has `limit` webhooks already
 */
export async function insertWebhook(
  tx: Queryable,
  row: Webhook & { developerId: string; sealedSecret: Buffer },
  limit: number,
): Promise<Webhook | undefined> {
  const values = [row.developerId, row.id, row.url, row.events, row.sealedSecret, row.createdAt, limit];
  await inTurn(tx, `webhooks of ${row.developerId}`);
  const [webhook] = await tx.rows<Webhook>(insert, values);
  return webhook;
}

/** Newest first. */
export const listWebhooks = (db: Queryable, developerId: string): Promise<Webhook[]> =>
  db.rows(list, [developerId]);

/**
 * Removes a webhook with its deliveries, and notes how many there were: the counters must stay explainable. To be run in a
 * transaction.
 * @returns false when the developer has no such webhook
 */
export async function removeWebhook(tx: Queryable, developerId: string, id: string): Promise<boolean> {
  if ((await tx.rows(lock, [developerId, id])).length === 0) return false;
  await tx.rows(removeDeliveries, [id]);
  await tx.rows(remove, [id]);
  return true;
}

/** Newest first; undefined when the developer has no such webhook. */
export async function listDeliveries(
  db: Queryable,
  developerId: string,
  webhookId: string,
  filter: { status?: DeliveryStatus | undefined },
  window: { limit: number; offset: number },
): Promise<{ deliveries: Delivery[]; total: number } | undefined> {
  const [webhook] = await db.rows<{ url: string }>(owned, [developerId, webhookId]);
  if (!webhook) return undefined;
  const values = [webhookId, filter.status ?? null];
  const [deliveries, total] = await Promise.all([
    db.rows<Omit<Delivery, 'url'>>(page, [...values, window.limit, window.offset]),
    countOf(db, count, values),
  ]);
  return {
    deliveries: deliveries.map((delivery) => ({ ...delivery, url: webhook.url })),
    total,
  };
}
