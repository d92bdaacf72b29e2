/**
 * The service itself: its health, the description of all routes, and the page at its address.
 * This room has no table. It only checks whether the database takes writes.
 * No other room calls this one; load balancers, monitors and clients do.
 */
import { Type } from 'typebox';
import { sha256 } from '../hash.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { htmlPage, ok, type Reply } from '../http/reply.ts';
import { done, type Outcome } from '../outcome.ts';
import { apiPage } from './api-page.ts';
import { frontPage } from './front-page.ts';
import type { Health } from './health.ts';
import { openApi } from './openapi.ts';

const Ok = Type.Object({ status: Type.Literal('ok') });
const Degraded = Type.Object({ status: Type.Literal('degraded'), failing: Type.Array(Type.String()) });

const degraded = (...failing: string[]): Outcome<Reply> =>
  done({ status: 503, json: { status: 'degraded', failing } });
const healthy = () => ok(done({ status: 'ok' }));

/** The health routes and the OpenAPI description. `all` returns every endpoint of the service. */
export function systemRoutes(health: Health, all: () => readonly Endpoint[]): Endpoint[] {
  const description = describeOnce(all);
  let written: string | undefined;
  const page = () => (written ??= apiPage(all()));
  const ready = async (): Promise<Outcome<Reply>> =>
    (await health.databaseAnswers()) ? healthy() : degraded('database');
  return [
    endpoint({
      method: 'get',
      path: '/',
      summary: 'A page that says what this is, and leads on',
      access: 'public',
      limit: null,
      responses: { 200: Type.String() },
      handle: async () => done(htmlPage(200, frontPage(await health.databaseAnswers()))),
    }),
    endpoint({
      method: 'get',
      path: '/docs',
      summary: 'This description as a page',
      access: 'public',
      limit: null,
      responses: { 200: Type.String() },
      handle: async () => done(htmlPage(200, page())),
    }),
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
      responses: { 200: Type.Record(Type.String(), Type.Unknown()), 304: null },
      handle: async ({ header }) => done(description(header('if-none-match'))),
    }),
  ];
}

/** Answers with the OpenAPI description. It is the same for the life of the process, so it is written once. */
function describeOnce(all: () => readonly Endpoint[]): (ifNoneMatch: string | undefined) => Reply {
  let written: { readonly text: string; readonly etag: string } | undefined;
  return (ifNoneMatch) => {
    if (!written) {
      const text = JSON.stringify(openApi(all()));
      written = { text, etag: `"${sha256(text).toString('base64url')}"` };
    }
    const { text, etag } = written;
    const headers = { etag, 'cache-control': 'public, max-age=60' };
    // RFC 9110 §13.1.2: a weak comparison with any of the tags.
    const known = ifNoneMatch?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
    if (known.includes(etag) || known.includes('*')) return { status: 304, headers };
    return { status: 200, text, headers: { ...headers, 'content-type': 'application/json; charset=utf-8' } };
  };
}
