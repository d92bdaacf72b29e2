/**
 * The service itself: its health, and the description of all routes.
 * This room has no table. It only checks whether the database takes writes.
 * No other room calls this one; load balancers, monitors and clients do.
 */
import { Type } from 'typebox';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { ok, type Reply } from '../http/reply.ts';
import { done, type Outcome } from '../outcome.ts';
import type { Health } from './health.ts';
import { openApi } from './openapi.ts';

const Ok = Type.Object({ status: Type.Literal('ok') });
const Degraded = Type.Object({ status: Type.Literal('degraded'), failing: Type.Array(Type.String()) });

const degraded = (...failing: string[]): Outcome<Reply> =>
  done({ status: 503, json: { status: 'degraded', failing } });
const healthy = () => ok(done({ status: 'ok' }));

/** The health routes and the OpenAPI description. `all` returns every endpoint of the service. */
export function systemRoutes(health: Health, all: () => readonly Endpoint[]): Endpoint[] {
  const ready = async (): Promise<Outcome<Reply>> =>
    (await health.databaseAnswers()) ? healthy() : degraded('database');
  return [
    endpoint({
      method: 'get',
      path: '/health',
      summary: 'Whether the process can serve',
      access: 'public',
      limit: null,
      responses: { 200: Ok, 503: Degraded },
      handle: ready,
    }),
    endpoint({
      method: 'get',
      path: '/health/live',
      summary: 'Whether the event loop runs; looks at no dependency',
      access: 'public',
      limit: null,
      responses: { 200: Ok },
      handle: async () => healthy(),
    }),
    endpoint({
      method: 'get',
      path: '/health/ready',
      summary: 'Whether the process wants traffic; 503 from the beginning of shutdown on',
      access: 'public',
      limit: null,
      responses: { 200: Ok, 503: Degraded },
      handle: async () => (health.stopping ? degraded('shutdown') : ready()),
    }),
    endpoint({
      method: 'get',
      path: '/openapi.json',
      summary: 'This description',
      access: 'public',
      limit: null,
      responses: { 200: Type.Record(Type.String(), Type.Unknown()) },
      handle: async () =>
        done({ status: 200, json: openApi(all()), headers: { 'cache-control': 'public, max-age=60' } }),
    }),
  ];
}
