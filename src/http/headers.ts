import type { RequestHandler, Response } from 'express';

/** Headers by lower-case name. */
export type Headers = Record<string, string>;

/** Begins an answer's headers. They are gathered in a plain object and written at once: setting each costs as much as routing. */
export function beginHeaders(res: Response, headers: Headers): void {
  res.locals['headers'] = headers;
}

/** The headers that the answer will have, to be added to. */
export const headersOf = (res: Response): Headers => res.locals['headers'] as Headers;

/** What a middleware sets on every answer alike, found by running it once. */
export function constantHeaders(middleware: RequestHandler): Headers {
  const headers: Headers = {};
  const standIn = {
    setHeader(name: string, value: unknown) {
      headers[name.toLowerCase()] = String(value);
    },
    removeHeader: () => undefined,
  };
  middleware({} as never, standIn as never, (error?: unknown) => {
    if (error) throw error;
  });
  return headers;
}

/** For middleware that ends answers itself, as that for CORS preflights does. */
export const writeGathered: RequestHandler = (_req, res, next) => {
  for (const [name, value] of Object.entries(headersOf(res))) res.setHeader(name, value);
  next();
};

/** How often a caller sent a header. Node's own view of some headers shows the first one only. */
export function timesSent(rawHeaders: readonly string[], name: string): number {
  let times = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const sent = rawHeaders[at];
    if (sent?.length === name.length && sent.toLowerCase() === name) times += 1;
  }
  return times;
}
