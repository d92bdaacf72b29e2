import { type Context, context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';

/** What holds for all the work of one request. */
export interface RequestScope {
  /** The id that its log lines carry and its answer names. */
  readonly id: string;
  /** Whose request it is, once that is known: one developer's requests share a part of the database's connections. */
  developerId: string | null;
  /** When its statements must have ended, so that its answer can say what became of them (`performance.now()`). */
  statementsEndAt: number;
}

// Kept in the OpenTelemetry context rather than in an AsyncLocalStorage of its own: one store to enter per request.
const SCOPE = createContextKey('grantex.request');

/** Runs `fn`, and everything it awaits, as the work of a new request. */
export function inRequest<T>(id: string, fn: () => T): T {
  const scope: RequestScope = { id, developerId: null, statementsEndAt: Number.POSITIVE_INFINITY };
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
