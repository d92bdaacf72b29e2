import type { RequestHandler } from 'express';
import { notFound } from '../errors.ts';
import type { SetRoute } from './endpoint.ts';
import { send } from './reply.ts';

interface File {
  readonly contentType: string;
  readonly body: Buffer;
  readonly etag: string;
  readonly cacheControl: string;
}

/** Serves the files of the pages, found by path. */
export function serveAssets(find: (path: string) => File | null, setRoute: SetRoute): RequestHandler {
  return (req, res) => {
    const file = find(req.path);
    if (!file) throw notFound('Path');
    setRoute('/assets/:version/:name', req);
    const headers = { 'cache-control': file.cacheControl, etag: file.etag };
    if (req.headers['if-none-match'] === file.etag) send(req, res, { status: 304, headers });
    else
      send(req, res, {
        status: 200,
        text: file.body,
        headers: { ...headers, 'content-type': file.contentType },
      });
  };
}
