/**
 * Webhooks: receivers of events about grants and tokens, and the deliveries to them. Tables: `webhooks`,
 * `webhook_deliveries`, with the tallies of `removed_deliveries`, and the job queue. Statements of `tokens` and `grants`
 * write deliveries through `events/outbox-store.ts`. `delivery-workers.ts` makes them in the background.
 */
import { Type } from 'typebox';
import { EVENT_TYPES } from '../events/event-types.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { faultOfPage, pageInfo, pageOf, pageQuery, pageView } from '../http/pagination.ts';
import { created, noContent, ok } from '../http/reply.ts';
import { orNull, Timestamp } from '../http/schemas.ts';
import { deleteWebhook, deliveriesOfWebhook, ownWebhook, ownWebhooks } from './manage-webhooks.ts';
import { type RegisterDeps, registerWebhook } from './register-webhook.ts';
import { rotateSecret } from './rotate-secret.ts';

const EventType = Type.Enum([...EVENT_TYPES]);
const Status = Type.Enum(['pending', 'delivered', 'failed']);
const WebhookView = {
  id: Type.String(),
  url: Type.String(),
  events: Type.Array(EventType),
  createdAt: Timestamp,
};
const DeliveryView = Type.Object({
  id: Type.String(),
  webhookId: Type.String(),
  eventId: Type.String(),
  eventType: EventType,
  status: Status,
  attempts: Type.Integer(),
  maxAttempts: Type.Integer(),
  url: Type.String(),
  lastError: orNull(Type.String()),
  createdAt: Timestamp,
  deliveredAt: orNull(Timestamp),
});

export const webhookRoutes = (deps: RegisterDeps): Endpoint[] => [
  endpoint({
    method: 'post',
    path: '/v1/webhooks',
    summary: 'Register a webhook; its secret is shown once',
    access: 'developer',
    limit: 'api',
    body: Type.Object({
      url: Type.String({ minLength: 1, maxLength: 2048 }),
      events: Type.Array(EventType, { minItems: 1, maxItems: 20 }),
    }),
    responses: { 201: Type.Object({ ...WebhookView, secret: Type.String() }) },
    handle: async ({ caller, body }) =>
      created(await registerWebhook(deps, caller, body), ({ id, url, events, secret, createdAt }) => ({
        id,
        url,
        events,
        secret,
        createdAt,
      })),
  }),
  endpoint({
    method: 'get',
    path: '/v1/webhooks',
    large: true,
    summary: 'All webhooks, newest first',
    access: 'developer',
    limit: 'api',
    responses: { 200: Type.Object({ webhooks: Type.Array(Type.Object(WebhookView)) }) },
    handle: async ({ caller }) => ok(await ownWebhooks(deps, caller), (webhooks) => ({ webhooks })),
  }),
  endpoint({
    method: 'get',
    path: '/v1/webhooks/:id',
    summary: 'One webhook',
    access: 'developer',
    limit: 'api',
    responses: { 200: Type.Object(WebhookView) },
    handle: async ({ caller, params }) => ok(await ownWebhook(deps, caller, params['id'] ?? '')),
  }),
  endpoint({
    method: 'post',
    path: '/v1/webhooks/:id/rotate-secret',
    summary:
      'Replace the secret of a webhook; it is shown once, and the one before it signs too for 24 hours',
    access: 'developer',
    limit: 'api',
    responses: { 200: Type.Object({ secret: Type.String(), previousSecretUntil: Timestamp }) },
    handle: async ({ caller, params }) => ok(await rotateSecret(deps, caller, params['id'] ?? '')),
  }),
  endpoint({
    method: 'delete',
    path: '/v1/webhooks/:id',
    summary: 'Remove a webhook with its deliveries',
    access: 'developer',
    limit: 'api',
    responses: { 204: null },
    handle: async ({ caller, params }) => noContent(await deleteWebhook(deps, caller, params['id'] ?? '')),
  }),
  endpoint({
    method: 'get',
    path: '/v1/webhooks/:id/deliveries',
    large: true,
    summary: 'Deliveries of a webhook, newest first',
    access: 'developer',
    limit: 'api',
    query: pageQuery({ status: Type.Optional(Status) }),
    responses: { 200: pageView({ deliveries: Type.Array(DeliveryView) }) },
    check: ({ query }) => faultOfPage(query, ['status']),
    handle: async ({ caller, params, query: { status, ...window } }) => {
      const page = pageOf(window);
      const listed = await deliveriesOfWebhook(deps, caller, { webhookId: params['id'] ?? '', status, page });
      return ok(listed, ({ deliveries, total }) => ({ deliveries, ...pageInfo(page, total) }));
    },
  }),
];
