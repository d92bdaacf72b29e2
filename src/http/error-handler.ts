import type { ErrorRequestHandler, RequestHandler } from 'express';
import { notFound } from '../errors.ts';
import type { Events } from '../telemetry/events.ts';
import { toPublicError } from './public-error.ts';
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
    const refusalPage: RefusalPage | undefined = res.locals['refusalPage'];
    const envelope = {
      status,
      json: { message, code, requestId: requestIdOf(res) },
      headers: status === 401 ? { 'www-authenticate': 'Bearer' } : {},
    };
    send(req, res, refusalPage?.(status, refusal) ?? envelope);
  };
}
