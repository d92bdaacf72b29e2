import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expect, test } from 'vitest';
import { send } from '../../src/http/reply.ts';
import { requestContext } from '../../src/http/request-context.ts';
import { assetHref, findAsset } from '../../src/pages/assets.ts';
import { pageSecurity } from '../../src/pages/security-headers.ts';

test('a page is sent with a policy that lets nothing in from elsewhere', async () => {
  const app = express().use(requestContext, pageSecurity, (req, res) =>
    send(req, res, { status: 200, text: '' }),
  );
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { headers } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  server.close();
  expect(headers.get('content-security-policy')).toBe(
    "default-src 'none';script-src 'self';style-src 'self';img-src 'self';connect-src 'self';base-uri 'none';" +
      "form-action 'none';frame-ancestors 'none';require-trusted-types-for 'script';trusted-types 'none'",
  );
  expect(Object.fromEntries(headers)).toMatchObject({
    'cache-control': 'no-store',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  });
});

test.each([
  ['consent.js', 'text/javascript; charset=utf-8'],
  ['with-query.js', 'text/javascript; charset=utf-8'],
  ['display-text.js', 'text/javascript; charset=utf-8'],
  ['permissions.js', 'text/javascript; charset=utf-8'],
  ['permission-items.js', 'text/javascript; charset=utf-8'],
  ['session.js', 'text/javascript; charset=utf-8'],
  ['moment.js', 'text/javascript; charset=utf-8'],
  ['colours.css', 'text/css; charset=utf-8'],
  ['page.css', 'text/css; charset=utf-8'],
  ['consent.css', 'text/css; charset=utf-8'],
  ['permissions.css', 'text/css; charset=utf-8'],
  ['icon.svg', 'image/svg+xml'],
] as const)('%s is found under its versioned path, for ever cacheable', (name, contentType) => {
  const asset = findAsset(`/${assetHref(name)}`);
  expect(asset).toMatchObject({ contentType, cacheControl: 'public, max-age=31536000, immutable' });
  expect(asset?.body.length).toBeGreaterThan(0);
  expect(asset?.etag).toMatch(/^"[0-9a-f]{16}"$/);
});

test("another release's version gets this one's file, not to be kept", () => {
  const other = findAsset('/assets/0123456789abcdef/consent.js');
  expect(other?.body).toBe(findAsset(`/${assetHref('consent.js')}`)?.body);
  expect(other?.cacheControl).toBe('no-cache');
});

test.each([
  '/assets/consent.js',
  '/assets/0123456789abcdef/with-query.d.ts',
  '/assets/0123456789abcdef/../page.ts',
])('%s is no asset', (path) => expect(findAsset(path)).toBeNull());
