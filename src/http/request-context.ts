import { randomUUID } from 'node:crypto';
import type { RequestHandler, Response } from 'express';
import helmet from 'helmet';
import { badRequest } from '../errors.ts';
import { withRequestId } from '../telemetry/request-id.ts';
import { beginHeaders, constantHeaders, headersOf } from './headers.ts';

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
  // RFC 9112 §3.2
  const hostless = req.headers.host === undefined && req.httpVersion === '1.1';
  withRequestId(id, () => next(hostless ? badRequest('The Host header is missing') : undefined));
};

/** The id that the answer carries. */
export const requestIdOf = (res: Response): string => headersOf(res)[HEADER] ?? '';
