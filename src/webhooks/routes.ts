import { Type } from 'typebox';
import type { Deps } from '../deps.ts';
import { notFound } from '../errors.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { pageOf, pageQuery, pageView } from '../http/pages.ts';
import { created, noContent, ok } from '../http/reply.ts';
import { Timestamp } from '../http/schemas.ts';
import { EVENT_TYPES } from './event-types.ts';
import { registerWebhook } from './register-webhook.ts';
import { DELIVERY_STATUSES, listDeliveries, listWebhooks, removeWebhook } from './store.ts';

const EventType = Type.Enum([...EVENT_TYPES]);
const Status = Type.Enum([...DELIVERY_STATUSES]);
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
  lastError: Type.Union([Type.String(), Type.Null()]),
  createdAt: Timestamp,
  deliveredAt: Type.Union([Timestamp, Type.Null()]),
});

export const webhookRoutes = (deps: Deps): Endpoint[] => [
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
    handle: async ({ developer, body }) => {
      const { id, url, events, secret, createdAt } = await registerWebhook(deps, developer.id, body);
      return created({ id, url, events, secret, createdAt });
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/webhooks',
    summary: 'All webhooks, newest first',
    access: 'developer',
    limit: 'api',
    responses: { 200: Type.Object({ webhooks: Type.Array(Type.Object(WebhookView)) }) },
    handle: async ({ developer }) => ok({ webhooks: await listWebhooks(deps.db, developer.id) }),
  }),
  endpoint({
    method: 'delete',
    path: '/v1/webhooks/:id',
    summary: 'Remove a webhook with its deliveries',
    access: 'developer',
    limit: 'api',
    responses: { 204: null },
    handle: async ({ developer, params }) => {
      const removed = await deps.db.transaction((tx) => removeWebhook(tx, developer.id, params['id'] ?? ''));
      if (!removed) throw notFound('Webhook');
      return noContent;
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/webhooks/:id/deliveries',
    summary: 'Deliveries of a webhook, newest first',
    access: 'developer',
    limit: 'api',
    query: pageQuery({ status: Type.Optional(Status) }),
    responses: { 200: pageView({ deliveries: Type.Array(DeliveryView) }) },
    handle: async ({ developer, params, query }) => {
      const page = pageOf(query);
      const found = await listDeliveries(deps.db, developer.id, params['id'] ?? '', query, page);
      if (!found) throw notFound('Webhook');
      return ok({ ...found, page: page.page, pageSize: page.pageSize });
    },
  }),
];
