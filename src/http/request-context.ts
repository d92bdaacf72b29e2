import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { RequestHandler, Response } from 'express';
import helmet from 'helmet';
import { badRequest, type ServiceError } from '../errors.ts';
import { inRequest } from '../request-scope.ts';
import { beginHeaders, constantHeaders, headersOf, timesSent } from './headers.ts';

const HEADER = 'x-request-id';
const PRINTABLE = /^[\x20-\x7e]{1,128}$/;
const security = constantHeaders(helmet());

/**
 * Begins every answer with the security headers and the request's id: the caller's own when it is 1–128 printable
 * characters. Every log line of the request carries the id too.
 */
export const requestContext: RequestHandler = (req, res, next) => {
  const incoming = req.headers[HEADER];
  const id = typeof incoming === 'string' && PRINTABLE.test(incoming) ? incoming : randomUUID();
  beginHeaders(res, { ...security, [HEADER]: id });
  inRequest(
    id,
    () => next(faultOf(req)),
    () => req.ip,
  );
};

/** What RFC 9112 §2.3, §3.2 and §3.2.1 have a server refuse and the parser lets through. */
function faultOf({ httpVersion, rawHeaders, url = '' }: IncomingMessage): ServiceError | undefined {
  const hosts = timesSent(rawHeaders, 'host');
  if (hosts > 1) return badRequest('There is more than one Host header');
  if (hosts === 0 && httpVersion === '1.1') return badRequest('The Host header is missing');
  // Express would drop the fragment, and match a path that a proxy's rule did not.
  if (url.includes('#')) return badRequest('The request target holds a fragment');
  return httpVersion.startsWith('1.') ? undefined : badRequest('HTTP/1.1 is required');
}

/** The id that the answer carries. */
export const requestIdOf = (res: Response): string => headersOf(res)[HEADER] ?? '';
