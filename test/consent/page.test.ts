import { expect, test } from 'vitest';
import { findAsset } from '../../src/consent/assets.ts';
import { type ConsentView, consentPage, consentStatePage } from '../../src/consent/page.ts';

const VIEW: ConsentView = {
  requestId: 'areq_1',
  agentName: 'Trip planner',
  agentDid: 'did:grantex:ag_1',
  agentDescription: 'Books trips',
  developerName: 'Acme',
  scopes: [
    { scope: 'calendar:read', description: 'Read your calendar' },
    { scope: 'email:send', description: 'Send email' },
  ],
  grantLifeText: '24 hours',
  expiresAt: new Date('2026-01-02T03:04:00Z'),
  redirectHost: 'app.example.com',
};

test('the page names everything that is to be decided', () => {
  const page = consentPage(VIEW);
  for (const part of ['Trip planner', 'Acme', 'Books trips', 'Read your calendar', 'email:send', '24 hours'])
    expect(page).toContain(part);
  expect(page).toContain('2 January 2026 at 03:04');
  expect(page).toContain('data-request-id="areq_1"');
});

test('hostile text is escaped wherever it stands', () => {
  const hostile = `"'><script>alert(1)</script>`;
  const page = consentPage({
    ...VIEW,
    requestId: hostile,
    agentName: hostile,
    agentDid: hostile,
    agentDescription: hostile,
    developerName: hostile,
    principalId: hostile,
    scopes: [{ scope: hostile, description: hostile }],
    redirectHost: hostile,
  });
  expect(page).not.toContain('<script>alert');
  expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  expect(page.match(/data-request-id="[^"]*"/)?.[0]).not.toContain("'>");
});

test('direction overrides and endless names do not rearrange the page', () => {
  const page = consentPage({ ...VIEW, agentName: `\u202Eevil${'x'.repeat(500)}`, developerName: '\u200B' });
  expect(page).not.toContain('\u202E');
  expect(page).not.toContain('x'.repeat(100));
  expect(page).toContain('Unnamed developer');
});

test.each([
  ['expired', 'This request has expired'],
  ['decided', 'This request was already decided'],
  ['unknown', 'We do not know this request'],
] as const)('a request that is %s has a page without script that says so', (state, title) => {
  const page = consentStatePage(state);
  expect(page).toContain(`<h1>${title}</h1>`);
  expect(page).not.toContain('<script');
});

test('no inline script, style or handler; files come from versioned paths that exist', () => {
  const page = consentPage(VIEW);
  expect(page).not.toMatch(/<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)/);
  const paths = Array.from(page.matchAll(/(?:src|href)="(assets\/[^"]+)"/g), ([, path]) => `/${path}`);
  expect(paths.length).toBeGreaterThanOrEqual(2);
  for (const path of paths) expect(findAsset(path)?.cacheControl).toContain('immutable');
  expect(findAsset('/assets/0000000000000000/consent.js')?.cacheControl).toBe('no-cache');
  expect(findAsset('/assets/0000000000000000/../page.ts')).toBeNull();
});
