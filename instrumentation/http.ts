import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { context } from '@opentelemetry/api';
import { getRPCMetadata, RPCType } from '@opentelemetry/core';
import { HttpInstrumentation, type HttpInstrumentationConfig } from '@opentelemetry/instrumentation-http';
import { isMetrics } from '../src/origin-form.ts';

/**
 * Paths and queries may hold secrets. The others are read from `Host`, `Forwarded` and `X-Forwarded-*`, which any caller
 * can write; `TRUST_PROXY` decides whom the service believes.
 */
const NOT_BELIEVED = {
  'url.path': undefined,
  'url.query': undefined,
  'url.full': undefined,
  'url.scheme': 'http',
  'client.address': undefined,
  'server.address': undefined,
  'server.port': undefined,
};

/** nginx's status for a client that closed the connection before it was answered. */
const CLIENT_CLOSED_REQUEST = 499;

/**
 * Tells the server span and the request metric of the active request its route, the template, never the path, and the
 * address it came from, as far as proxies are believed. Outside a request, or without instrumentation, it does nothing.
 */
export function setHttpRoute(template: string, from: { readonly ip?: string | undefined } = {}): void {
  const metadata = getRPCMetadata(context.active());
  if (metadata?.type !== RPCType.HTTP) return;
  metadata.route = template;
  if (!metadata.span.isRecording()) return;
  // Express works it out anew each time it is read.
  const { ip } = from;
  if (ip !== undefined) metadata.span.setAttribute('client.address', ip);
}

/**
 * instrumentation-http for this service: every request but `/metrics`, and no secret on a span. Paths may be bearer secrets
 * (`/v1/consent/:id`), so `url.path` is the route template or absent, and queries and headers are not recorded.
 * `outgoing` also instruments requests that the service makes; they then carry its trace context to whoever they go to.
 */
export function createHttpInstrumentation({ outgoing = false } = {}): HttpInstrumentation {
  const options: HttpInstrumentationConfig = {
    disableOutgoingRequestInstrumentation: !outgoing,
    ignoreIncomingRequestHook: ({ url }) => isMetrics(url),
    // Queries are not recorded, so nothing has to be looked for in them.
    redactedQueryParamsServer: [],
    // Set to nothing from the start rather than taken away at the end: samplers and exporters see no earlier value.
    startIncomingSpanHook: () => NOT_BELIEVED,
    responseHook: (_span, response) => {
      (response as ServerResponse).prependListener('close', markAborted);
    },
    applyCustomAttributesOnSpan: (span, request) => {
      if (!('url' in request)) return;
      const route = getRPCMetadata(context.active())?.route;
      if (route !== undefined) span.setAttribute('url.path', route);
    },
  };
  const instrumentation = new HttpInstrumentation(options);
  // Its hook sees `require` alone. This one makes it patch `Server.prototype` now, whichever way the service imports http.
  createRequire(import.meta.url)('http');
  return instrumentation;
}

/** Ahead of instrumentation-http's listener, which takes the status from the response: without this, an abort is a 200. */
function markAborted(this: ServerResponse<IncomingMessage>): void {
  if (!this.writableFinished) this.statusCode = CLIENT_CLOSED_REQUEST;
}
