import type { IncomingMessage } from 'node:http';
import type { Request as ExpressRequest } from 'express';

/** Query members as text. NUL, which no stored value holds, becomes a character that none holds either. */
export function queryText(req: ExpressRequest): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(req.query).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.replaceAll('\0', '\u{FFFF}') : value,
    ]),
  );
}

/** A header of the request, by its lower-case name. */
export function headerText(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
