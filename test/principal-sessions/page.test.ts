import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findAsset } from '../../src/pages/assets.ts';
import { permissionsPage, permissionsRefusalPage } from '../../src/principal-sessions/page.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService({ env: { RATE_LIMIT_ENABLED: 'true', RATE_LIMITS: 'consent=1/60' } });
});
afterAll(() => service.stop());

test('200 GET /permissions, whoever asks, with the policy of the pages; then 429 as a page too', async () => {
  const headers = { authorization: 'Bearer gx_live_nobody_has_this_key' };
  const page = await service.request('GET', '/permissions', { headers });
  expect([page.status, page.body]).toEqual([200, permissionsPage()]);
  const limited = await service.request('GET', '/permissions');
  expect([limited.status, limited.body]).toEqual([429, permissionsRefusalPage(429)]);
  expect(limited.body).toContain('Too many requests');
  for (const answer of [page, limited]) {
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/^default-src 'none';.*frame-ancestors 'none'/);
    expect(policy).not.toContain('unsafe');
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'cache-control': 'no-store',
    });
  }
});

test.each([
  ['the page', permissionsPage()],
  ['a refusal', permissionsRefusalPage(503)],
])('%s holds no inline script or style, no event handler, and loads only its own files', (_case, page) => {
  expect(page).not.toMatch(/<style|<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=/i);
  const links = [...page.matchAll(/(?:src|href|action)="([^"]*)"/g)].map(([, link]) => link);
  expect(links.length).toBeGreaterThan(1);
  for (const link of links) expect(findAsset(`/${link}`)?.cacheControl).toContain('immutable');
});

test('the script that takes the token from the address bar comes first and waits for no other file', () => {
  const scripts = [...permissionsPage().matchAll(/<script[^>]* src="([^"]*)"/g)].map(([, src = '']) => src);
  expect(scripts.map((src) => src.split('/').at(-1))).toEqual(['session.js', 'permissions.js']);
  const source = readFileSync(new URL('../../src/pages/assets/session.js', import.meta.url), 'utf8');
  expect(source).not.toMatch(/^import|import\(/m);
});

test('text is only ever set as text', () => {
  for (const name of ['permissions.js', 'permission-items.js', 'session.js', 'consent.js'] as const) {
    const source = readFileSync(new URL(`../../src/pages/assets/${name}`, import.meta.url), 'utf8');
    expect(source).not.toMatch(
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|localStorage|sessionStorage|cookie/,
    );
  }
});
