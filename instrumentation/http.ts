import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import {
  type Attributes,
  context,
  type Histogram,
  type Meter,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import {
  getRPCMetadata,
  type RPCMetadata,
  RPCType,
  setRPCMetadata,
  suppressTracing,
} from '@opentelemetry/core';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { HTTP_METHODS } from '../src/label-values.ts';
import { isMetrics } from '../src/origin-form.ts';
import { measuredContext } from '../src/telemetry/measured.ts';

/** nginx's status for a client that closed the connection before it was answered. */
const CLIENT_CLOSED_REQUEST = 499;
const CUT_SHORT = 500;

type Emit = (this: Server, event: string, ...args: unknown[]) => boolean;

/** The parts of instrumentation-http that its types hide. */
interface Parts {
  readonly tracer: Tracer;
  readonly _httpServerDurationHistogram: Histogram;
  _incomingRequestFunction(component: string, emit: Emit): Emit;
}

/**
 * Sets the route, the client address and the scheme of the active request, on its server span and its metric. The route is the
 * template, never the path. Address and scheme come from trusted proxies. Outside a request, or without instrumentation, it does nothing.
 */
export function setHttpRoute(
  template: string,
  from: { readonly ip?: string | undefined; readonly protocol?: string | undefined } = {},
): void {
  const metadata = getRPCMetadata(context.active());
  if (metadata?.type !== RPCType.HTTP) return;
  metadata.route = template;
  if (!metadata.span.isRecording()) return;
  // Express computes it at every read.
  const { ip, protocol } = from;
  if (ip !== undefined) metadata.span.setAttribute('client.address', ip);
  if (protocol === 'https') metadata.span.setAttribute('url.scheme', protocol);
}

/** What ends the measurement of a request before its response does. */
const ENDS = new WeakMap<RPCMetadata, (waits: boolean) => void>();

/**
 * Ends the duration of the active request, because what follows lasts as long as its client likes. A stream was answered with
 * 200, and is recorded at once. Where the answer is still to come (`waits`), its status is recorded when it has been sent, with
 * the duration until now. Outside a request, or without instrumentation, it does nothing.
 */
export function endHttpMeasurement(waits: boolean): void {
  const metadata = getRPCMetadata(context.active());
  if (metadata) ENDS.get(metadata)?.(waits);
}

/**
 * instrumentation-http for this service: every request but `/metrics`, and no secret on a span. The package patches `Server`,
 * and has the tracer and the histogram. The handling of one request is here. The package's handling costs 30 µs more, a tenth
 * of a short request with all of its telemetry. It reads addresses from `Host`, `Forwarded` and `X-Forwarded-*`, which any
 * caller can write. It also turns the URL into attributes, and path and query may be secrets.
 */
export function createHttpInstrumentation(): HttpInstrumentation {
  const instrumentation = new HttpInstrumentation({ disableOutgoingRequestInstrumentation: true });
  const parts = instrumentation as unknown as Parts;
  parts._incomingRequestFunction = (_component, emit) => measured(parts, emit);
  // The package's hook sees only `require`. This call makes it patch `Server.prototype`, however the service imports http.
  createRequire(import.meta.url)('http');
  return instrumentation;
}

/** Servers whose requests are not requests of the service. */
const UNMEASURED = new WeakSet<Server>();

/** Leaves the requests of a server out of spans and measurements. */
export function leaveUnmeasured(server: Server): void {
  UNMEASURED.add(server);
}

/** `Server.prototype.emit` that gives every request a context, a span and a measurement. */
function measured(parts: Parts, emit: Emit): Emit {
  return function emitMeasured(this: Server, event, ...args) {
    if (event !== 'request' || UNMEASURED.has(this)) return emit.call(this, event, ...args);
    const [request, response] = args as [IncomingMessage, ServerResponse];
    const entered = isMetrics(request.url)
      ? suppressTracing(context.active())
      : begin(parts, request, response);
    return context.with(entered, emit, this, event, request, response);
  };
}

const KNOWN_METHODS = new Set<string>(HTTP_METHODS);
const active = new Map<string, number>([...HTTP_METHODS, '_OTHER'].map((method) => [method, 0]));

/** Reports the requests that are being answered, by method, at every collection of `meter`. */
export function observeActiveRequests(meter: Meter): void {
  const options = { unit: '{request}', description: 'HTTP requests that are being answered.' };
  meter.createObservableUpDownCounter('http.server.active_requests', options).addCallback((result) => {
    for (const [method, requests] of active) result.observe(requests, { 'http.request.method': method });
  });
}

const countActive = (method: string, by: 1 | -1) => active.set(method, (active.get(method) ?? 0) + by);

/**
 * The status that the caller has got. One that disconnected has none. Where the service itself cut an answer short, because the
 * rest of it failed, the status line that went before says nothing.
 */
function statusOf(response: ServerResponse): number {
  if (response.writableFinished) return response.statusCode;
  return response.errored ? CUT_SHORT : CLIENT_CLOSED_REQUEST;
}

/** Begins a request's span and measurement, which end with its response, and returns its context. */
function begin(parts: Parts, request: IncomingMessage, response: ServerResponse) {
  const begun = performance.now();
  const { method = 'GET', headers, socket } = request;
  const knownMethod = KNOWN_METHODS.has(method) ? method : '_OTHER';
  const labels: Attributes = { 'http.request.method': knownMethod };
  const parent = propagation.extract(ROOT_CONTEXT, headers);
  const attributes = {
    ...labels,
    'http.request.method_original': knownMethod === method ? undefined : method,
    'url.scheme': 'http',
    'network.peer.address': socket.remoteAddress,
    'network.peer.port': socket.remotePort,
    'network.protocol.version': request.httpVersion,
    'user_agent.original': headers['user-agent'],
  };
  const span = parts.tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parent);
  const metadata: RPCMetadata = { type: RPCType.HTTP, span };
  countActive(knownMethod, 1);
  let endedAt: number | undefined;
  const endDuration = () => {
    if (endedAt === undefined) countActive(knownMethod, -1);
    endedAt ??= performance.now();
    return endedAt;
  };
  let recorded = false;
  const record = (status: number) => {
    if (recorded) return;
    recorded = true;
    const at = endDuration();
    const { route } = metadata;
    labels['http.response.status_code'] = status;
    if (route !== undefined) labels['http.route'] = route;
    if (span.isRecording()) {
      span.setAttributes(labels);
      if (route !== undefined) span.setAttribute('url.path', route).updateName(`${method} ${route}`);
      if (status >= 500)
        span.setAttribute('error.type', String(status)).setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end(at);
    const seconds = (at - begun) / 1000;
    parts._httpServerDurationHistogram.record(seconds, labels, measuredContext(seconds, span.spanContext()));
  };
  ENDS.set(metadata, (waits) => {
    endDuration();
    if (!waits) record(200);
  });
  // A caller that disconnected has not received the response's status.
  response.on('close', () => record(statusOf(response)));
  return setRPCMetadata(trace.setSpan(parent, span), metadata);
}
