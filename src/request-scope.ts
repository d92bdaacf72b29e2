import { type Context, context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';

/** The facts that hold for all work of one request. */
export interface RequestScope {
  /** The id that its log lines carry and its answer names. */
  readonly id: string;
  /** The developer of the request, once known. The requests of one developer share a part of the database connections. */
  developerId: string | null;
  /** The developer whose credential the caller showed, for log lines. */
  callerId: string | null;
  /** The address of the caller, as trusted proxies say; undefined once it has left. */
  readonly ip: () => string | undefined;
  /** When its statements must have ended, so that the answer can report their outcome (`performance.now()`). */
  statementsEndAt: number;
}

// The OpenTelemetry context carries it. A separate AsyncLocalStorage would be a second store to enter per request.
const SCOPE = createContextKey('grantex.request');

/** Runs `fn`, and everything it awaits, as the work of a new request. */
export function inRequest<T>(id: string, fn: () => T, ip: () => string | undefined = () => undefined): T {
  const scope: RequestScope = {
    id,
    ip,
    developerId: null,
    callerId: null,
    statementsEndAt: Number.POSITIVE_INFINITY,
  };
  return context.with(context.active().setValue(SCOPE, scope), fn);
}

/**
 * Runs `fn` outside any request and span: what it logs belongs to none. For work in the background, and for listeners of
 * connections that outlive the request in whose context they were opened.
 */
export function outsideRequests<T>(fn: () => T): T {
  return context.with(ROOT_CONTEXT, fn);
}

/** The request whose work this is; `undefined` outside a request. */
export function requestScope(of: Context = context.active()): RequestScope | undefined {
  return of.getValue(SCOPE) as RequestScope | undefined;
}
