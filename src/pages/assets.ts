import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A file of the pages, as it is to be sent. */
export interface Asset {
  readonly contentType: string;
  readonly body: Buffer;
  readonly etag: string;
  readonly cacheControl: string;
}

const CONTENT_TYPES = {
  'colours.css': 'text/css; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'consent.css': 'text/css; charset=utf-8',
  'permissions.css': 'text/css; charset=utf-8',
  'front.css': 'text/css; charset=utf-8',
  'consent.js': 'text/javascript; charset=utf-8',
  'permissions.js': 'text/javascript; charset=utf-8',
  'permission-items.js': 'text/javascript; charset=utf-8',
  'session.js': 'text/javascript; charset=utf-8',
  'moment.js': 'text/javascript; charset=utf-8',
  'display-text.js': 'text/javascript; charset=utf-8',
  'with-query.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;
export type AssetName = keyof typeof CONTENT_TYPES;

const digest = (...parts: readonly Buffer[]): string =>
  parts
    .reduce((hash, part) => hash.update(part), createHash('sha256'))
    .digest('hex')
    .slice(0, 16);

const files = new Map<string, Asset>(
  Object.entries(CONTENT_TYPES).map(([name, contentType]) => {
    const body = readFileSync(new URL(`./assets/${name}`, import.meta.url));
    const cacheControl = 'public, max-age=31536000, immutable';
    return [name, { contentType, body, etag: `"${digest(body)}"`, cacheControl }];
  }),
);

/** One version for all files: a script imports its neighbour by a relative path, which must lead to the same version. */
const version = digest(...Array.from(files.values(), (file) => file.body));

/**
 * The path of an asset relative to a page at the top level of the service (`/consent`), so that the pages also work behind a
 * proxy that adds a prefix.
 */
export const assetHref = (name: AssetName): string => `assets/${version}/${name}`;

/**
 * The file for a request path (`/assets/<version>/<name>`), or null. The version in the path lets caches keep it without
 * limit. A path with the version of another release gets the file of this one, uncached. During a rollout page and file may
 * come from different replicas, and a consent page without its script cannot be used.
 */
export function findAsset(path: string): Asset | null {
  const [, asked, name = ''] = /^\/assets\/([0-9a-f]{16})\/([a-z.-]+)$/.exec(path) ?? [];
  const file = files.get(name);
  if (!file) return null;
  return asked === version ? file : { ...file, cacheControl: 'no-cache' };
}
