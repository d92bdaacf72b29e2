import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import { AuthenticationError, notFound, type ServiceError, TooManyError } from '../errors.ts';
import type { Events } from '../telemetry/events.ts';
import { headersOf } from './headers.ts';
import { toPublicError } from './public-error.ts';
import { rateLimitKeyOf } from './rate-limit-key.ts';
import { type RefusalPage, send } from './reply.ts';
import { requestIdOf } from './request-context.ts';

/** Every path that no endpoint has. */
export const unknownPath: RequestHandler = () => {
  throw notFound('Path');
};

/** The only place where an error becomes an HTTP answer: one envelope, closed codes, and no word of what went wrong inside. */
export function errorHandler(events: Events): ErrorRequestHandler {
  return (error, req, res, _next) => {
    const refusal = toPublicError(error);
    const { status, code, message, cause } = refusal;
    if (status >= 500)
      events.requestFailed({ error: cause ?? error, method: req.method, route: req.route?.path });
    else tellOfRefusal(events, req, refusal);
    const refusalPage: RefusalPage | undefined = res.locals['refusalPage'];
    const envelope = {
      status,
      json: { message, code, requestId: requestIdOf(res) },
      headers: status === 401 ? { 'www-authenticate': 'Bearer' } : {},
    };
    if (refusal instanceof TooManyError) headersOf(res)['retry-after'] = String(refusal.retryAfter);
    send(req, res, refusalPage?.(status, refusal) ?? envelope);
  };
}

/** A policy's denial has an event of its own. */
const FORBIDDEN = new Set<string>(['FORBIDDEN', 'CONSENT_REQUIRED', 'DELEGATION_DEPTH_EXCEEDED']);

function tellOfRefusal(events: Events, req: Request, refusal: ServiceError): void {
  const route: string = req.route?.path ?? 'unmatched';
  if (refusal instanceof AuthenticationError) {
    const { credential, reason } = refusal;
    const ip = req.ip ?? 'unknown';
    events.authenticationFailed({ credential, reason, ip, network: rateLimitKeyOf(ip), route });
  } else if (FORBIDDEN.has(refusal.code)) events.forbidden({ route, reason: refusal.code.toLowerCase() });
}
