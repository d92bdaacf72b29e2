import type { IncomingMessage, ServerResponse } from 'node:http';
import express from 'express';
import { badRequest, type ServiceError } from '../errors.ts';

const MAX_DEPTH = 32;

type BodyParser = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/** Reads a request's JSON body. */
export type ReadBody = (req: IncomingMessage, res: ServerResponse) => Promise<Record<string, unknown>>;

/**
 * A reader of JSON objects of at most `limit` bytes. No body counts as `{}`, whatever its content type says.
 * @returns a function that rejects with BAD_REQUEST on anything that is not a JSON object of well-formed text
 */
export function createBodyReader(limit: number): ReadBody {
  const parse = express.json({
    limit,
    strict: false,
    inflate: false,
    type: () => true,
  }) as unknown as BodyParser;
  return async (req, res) => {
    await new Promise<void>((resolve, reject) =>
      parse(req, res, (error) => (error ? reject(bodyError(error)) : resolve())),
    );
    const body: unknown = (req as { body?: unknown }).body;
    if (body === undefined) return {};
    if (!isObject(body)) throw badRequest('The body must be a JSON object');
    assertStorable(body, 0);
    return body;
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * PostgreSQL stores neither NUL nor lone surrogates, and a number beyond double precision would come back as another
 * one; what cannot be given back as it came is refused.
 */
function assertStorable(value: unknown, depth: number): void {
  if (typeof value === 'string') assertText(value);
  if (typeof value === 'number' && !Number.isFinite(value))
    throw badRequest('The body holds a number out of range');
  if (typeof value !== 'object' || value === null) return;
  if (depth >= MAX_DEPTH) throw badRequest(`The body is nested more than ${MAX_DEPTH} levels deep`);
  for (const [key, member] of Object.entries(value)) {
    assertText(key);
    assertStorable(member, depth + 1);
  }
}

function assertText(text: string): void {
  if (text.includes('\0') || !text.isWellFormed())
    throw badRequest('The body holds text that is not valid Unicode');
}

/** The parser's own messages may quote the body, so each kind gets a message of ours. */
function bodyError(error: unknown): ServiceError {
  const type = error instanceof Error && 'type' in error ? error.type : undefined;
  switch (type) {
    case 'entity.too.large':
      return badRequest('The body is too large', error);
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return badRequest('The body must be plain UTF-8 JSON', error);
    case 'entity.parse.failed':
      return badRequest('The body is not valid JSON', error);
    default:
      return badRequest('The body could not be read', error);
  }
}
