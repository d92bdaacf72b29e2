import { type Context, context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';

// Kept in the OpenTelemetry context rather than in an AsyncLocalStorage of its own: one store to enter per request.
const REQUEST_ID = createContextKey('grantex.request_id');

/** Runs `fn`, and everything it awaits, with `requestId` in its context: every log line written there carries it. */
export function withRequestId<T>(requestId: string, fn: () => T): T {
  return context.with(context.active().setValue(REQUEST_ID, requestId), fn);
}

/**
 * Runs `fn` outside any request and span: what it logs belongs to none. For work in the background, and for listeners of
 * connections that outlive the request in whose context they were opened.
 */
export function outsideRequests<T>(fn: () => T): T {
  return context.with(ROOT_CONTEXT, fn);
}

/** The request id of a context, `undefined` outside a request. */
export function requestIdOf(of: Context): string | undefined {
  return of.getValue(REQUEST_ID) as string | undefined;
}
