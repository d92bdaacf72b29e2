import {
  bigint,
  bool,
  bytes,
  int,
  json,
  orNull,
  text,
  textOf,
  texts,
  timestamp,
} from '../db/column-types.ts';
import { query } from '../db/query.ts';
import type { Queryable } from '../db/queryable.ts';
import { timed } from '../db/removed-counts.ts';
import type { EventType } from '../events/event-types.ts';
import type { SealedSecrets } from './secret.ts';
import { DELIVERY_TIMES, type DeliveryStatus } from './store.ts';

/** All that is needed to make one attempt. */
export interface DueDelivery extends SealedSecrets {
  readonly id: string;
  readonly developerId: string;
  readonly agentId: string;
  readonly url: string;
  readonly eventId: string;
  readonly eventType: EventType;
  readonly data: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
  readonly traceparent: string | null;
  /** Attempts that have ended. */
  readonly attempts: number;
  readonly maxAttempts: number;
}

/** What an attempt came to. */
export interface AttemptEnd {
  readonly id: string;
  /** Attempts that had ended before this one. */
  readonly attempts: number;
  readonly status: DeliveryStatus;
  readonly lastError: string | null;
  readonly at: Date;
  /** null: there will be none. */
  readonly nextAttemptAt: Date | null;
}

// Not with `exists`, which the planner answers by reading the table from its beginning.
const probe = query({
  operation: 'SELECT',
  collection: 'webhook_deliveries',
  name: 'webhooks.probe',
  text: `select (select id from webhooks order by id limit 1) is not null as webhooks,
    (select id from webhook_deliveries where not queued order by id limit 1) is not null as outbox`,
  params: {},
  row: { webhooks: bool, outbox: bool },
});
const claim = query({
  operation: 'UPDATE',
  collection: 'webhook_deliveries',
  name: 'webhooks.claim_outbox',
  text: `update webhook_deliveries set queued = true
    where id = any(array(
      select id from webhook_deliveries where not queued order by id limit $limit for update skip locked))
    returning id, webhook_id as "webhookId"`,
  params: { limit: bigint },
  row: { id: text, webhookId: text },
});
const load = query({
  operation: 'SELECT',
  collection: 'webhook_deliveries',
  name: 'webhooks.load_due',
  text: `select delivery.id, webhook.id as "webhookId", webhook.developer_id as "developerId",
      delivery.agent_id as "agentId", webhook.url, webhook.sealed_secret as "sealedSecret",
      webhook.previous_sealed_secret as "previousSealedSecret", webhook.previous_secret_until as "previousSecretUntil",
      delivery.event_id as "eventId",
      delivery.event_type as "eventType", delivery.data, delivery.created_at as "createdAt", delivery.traceparent,
      delivery.attempts, delivery.max_attempts as "maxAttempts"
    from webhook_deliveries delivery join webhooks webhook on webhook.id = delivery.webhook_id
    where delivery.id = any($ids::text[]) and delivery.status = 'pending'`,
  params: { ids: texts },
  row: {
    id: text,
    webhookId: text,
    developerId: text,
    agentId: text,
    url: text,
    sealedSecret: bytes,
    previousSealedSecret: orNull(bytes),
    previousSecretUntil: orNull(timestamp),
    eventId: text,
    eventType: textOf<EventType>(),
    data: json<DueDelivery['data']>(),
    createdAt: timestamp,
    traceparent: orNull(text),
    attempts: int,
    maxAttempts: int,
  },
});
const settle = query({
  operation: 'UPDATE',
  collection: 'webhook_deliveries',
  name: 'webhooks.settle',
  // By their ids first: of a few rows of JSON the planner thinks that they are many, and would read the whole table.
  text: `with ended as materialized (
      select * from jsonb_to_recordset($ends::text::jsonb) as ended (id text, attempts int, status text, "lastError" text,
        at timestamptz, "nextAttemptAt" timestamptz)),
    settled as (
      update webhook_deliveries delivery
      set attempts = delivery.attempts + 1, status = ended.status, last_error = ended."lastError",
        delivered_at = case when ended.status = 'delivered' then ended.at end,
        failed_at = case when ended.status = 'failed' then ended.at end, next_attempt_at = ended."nextAttemptAt"
      from ended
      where delivery.id = any(array(select id from ended)) and delivery.id = ended.id and delivery.status = 'pending'
        and delivery.attempts = ended.attempts
      returning delivery.id, delivery.webhook_id, ended.at),
    attempted as (
      -- Once a second is enough, and whoever else has the row at the moment marks it, or removes it.
      update webhooks set attempted_at = (select max(at) from settled where webhook_id = webhooks.id)
      where id = any(array(
        select id from webhooks
        where id = any(array(select webhook_id from settled))
          and (attempted_at is null or attempted_at < (select max(at) from settled) - interval '1 second')
        order by id for no key update skip locked)))
    select id from settled`,
  params: { ends: text },
  row: { id: text },
});
const purge = query({
  operation: 'DELETE',
  collection: 'webhook_deliveries',
  name: 'webhooks.purge',
  text: `with gone as (
      delete from webhook_deliveries where id = any(array(
        select id from webhook_deliveries where status <> 'pending' and created_at < $before
        order by created_at limit $limit for update skip locked))
      returning status, delivered_at, failed_at),
    ${timed(DELIVERY_TIMES)},
    tallied as (
      insert into removed_deliveries (status, total) select status, count(*) from gone group by status order by status
      on conflict (status) do update set total = removed_deliveries.total + excluded.total)
    select count(*)::int as removed from gone`,
  params: { before: timestamp, limit: bigint },
  row: { removed: int },
});
const firstDue = query({
  operation: 'SELECT',
  collection: 'webhook_deliveries',
  name: 'webhooks.oldest_pending',
  // From one webhook to the next on the index, however many deliveries each has.
  text: `with recursive first (webhook_id, due_at, place) as (
      (select webhook_id, coalesce(next_attempt_at, created_at), 1 from webhook_deliveries where status = 'pending'
        order by webhook_id, coalesce(next_attempt_at, created_at) limit 1)
      union all
      select later.webhook_id, later.due_at, place + 1 from first cross join lateral (
        select webhook_id, coalesce(next_attempt_at, created_at) as due_at from webhook_deliveries
        where status = 'pending' and webhook_id > first.webhook_id
        order by webhook_id, coalesce(next_attempt_at, created_at) limit 1) later
      where place < $webhooks::int)
    select min(greatest(due_at, (select attempted_at from webhooks where id = webhook_id))) as "dueAt" from first`,
  params: { webhooks: int },
  row: { dueAt: orNull(timestamp) },
});

/** Whether there is any webhook, and any delivery that no job knows of. */
export const probeWork = (db: Queryable): Promise<{ webhooks: boolean; outbox: boolean }> =>
  db.only(probe, {});

/** Takes the oldest deliveries that no job knows of; those that another replica is taking are passed over. */
export const claimOutbox = (tx: Queryable, limit: number): Promise<{ id: string; webhookId: string }[]> =>
  tx.all(claim, { limit });

/** Those of the deliveries that are still to be made. */
export const loadDue = (db: Queryable, ids: readonly string[]): Promise<DueDelivery[]> =>
  db.all(load, { ids });

/**
 * Stores what attempts came to. One that was stored before, or whose delivery has ended or gone meanwhile, is left out:
 * so a settlement whose answer was lost may be repeated.
 * @returns the ids of the deliveries that were changed
 */
export async function settleAttempts(tx: Queryable, ends: readonly AttemptEnd[]): Promise<Set<string>> {
  const rows = await tx.all(settle, { ends: JSON.stringify(ends) });
  return new Set(rows.map(({ id }) => id));
}

/** Removes deliveries of events before `before` that have ended. @returns how many, at most `limit` */
export const purgeDeliveries = async (db: Queryable, before: Date, limit: number): Promise<number> =>
  (await db.only(purge, { before, limit })).removed;

/** Bounds the cost of the reading. A queue that is stuck is stuck for all webhooks, so for the first thousand too. */
const WEBHOOKS_LOOKED_AT = 1000;

/**
 * How long, in seconds, the most neglected webhook has had a delivery that is due and no attempt that ended; over all
 * developers, and 0 when nothing is due. While attempts at its deliveries go on, the others wait for their receiver: it has
 * its share of the attempts and is slow, and the queue is not stuck. Such a webhook counts for `WEBHOOK_TIMEOUT_MS` at most,
 * which is when the next attempt ends. An attempt that is planned for later does not count.
 */
export async function oldestPendingSeconds(db: Queryable, now: number): Promise<number> {
  const { dueAt } = await db.only(firstDue, { webhooks: WEBHOOKS_LOOKED_AT });
  return dueAt ? Math.max(0, (now - dueAt.getTime()) / 1000) : 0;
}
