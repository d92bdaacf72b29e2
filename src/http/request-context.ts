import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import { withRequestId } from '../telemetry/request-id.ts';

const HEADER = 'x-request-id';
const PRINTABLE = /^[\x20-\x7e]{1,128}$/;

/** Gives every request an id, the caller's own when it is 1–128 printable characters, in the answer and in every log line. */
export const requestContext: RequestHandler = (req, res, next) => {
  const incoming = req.headers[HEADER];
  const id = typeof incoming === 'string' && PRINTABLE.test(incoming) ? incoming : randomUUID();
  res.setHeader(HEADER, id);
  withRequestId(id, () => next());
};

/** The id that the answer carries. */
export const requestIdOf = (res: ServerResponse): string => String(res.getHeader(HEADER) ?? '');
