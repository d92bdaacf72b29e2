import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';

/** Query members as text. NUL, which no stored value holds, becomes a character that none holds either. */
export function queryText(req: Request): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(req.query).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.replaceAll('\0', '\u{FFFF}') : value,
    ]),
  );
}

/** A header by its lower-case name; several of one name as one text. */
export function headerText(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
