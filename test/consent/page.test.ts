import { describe, expect, test } from 'vitest';
import { type ConsentView, consentPage } from '../../src/consent/page.ts';
import { consentStatePage } from '../../src/consent/state-page.ts';
import { html } from '../../src/http/html.ts';
import { displayText, exactText } from '../../src/pages/assets/display-text.js';
import { findAsset } from '../../src/pages/assets.ts';

const view: ConsentView = {
  requestId: 'areq_1',
  agentName: 'Trip Planner',
  agentDid: 'did:grantex:ag_1',
  agentDescription: 'Plans trips.',
  developerName: 'Acme Travel',
  principalId: 'user_1',
  scopes: [
    { scope: 'calendar:read', description: 'Read your calendar' },
    { scope: 'email:send', description: 'Send email' },
  ],
  grantLifeText: '24 hours',
  expiresAt: new Date('2026-03-04T05:06:07Z'),
  redirectHost: 'app.example.com',
};
const HOSTILE = `</title></bdi><script>alert(1)</script><img src=x onerror="alert(1)">'"\``;

describe('the consent page', () => {
  test('names who, what, how long, until when and where to', () => {
    const page = consentPage(view);
    for (const part of [
      '<bdi>Trip Planner</bdi>',
      '<bdi>Acme Travel</bdi>',
      'did:grantex:ag_1',
      'user_1',
      'Plans trips.',
      'Read your calendar',
      'calendar:read',
      'Send email',
      'email:send',
      '24 hours',
      '<time datetime="2026-03-04T05:06:07.000Z">4 March 2026 at 05:06 UTC</time>',
      'app.example.com',
      'data-decision="approve"',
      'data-decision="deny"',
    ])
      expect(page).toContain(part);
  });

  test('shows every one of a hundred scopes', () => {
    const scopes = Array.from({ length: 100 }, (_, n) => ({
      scope: `scope:${n}`,
      description: `Meaning ${n}`,
    }));
    const page = consentPage({ ...view, scopes });
    for (const { scope, description } of scopes) {
      expect(page).toContain(`<code dir="ltr">${scope}</code>`);
      expect(page).toContain(`>${description}</bdi>`);
    }
  });

  test('without a redirect says that a code is to be copied, and names no host', () => {
    const page = consentPage({ ...view, redirectHost: null });
    expect(page).toContain('You get a code to copy');
    expect(page).not.toContain('go back to <bdi');
  });

  test('holds no inline script or style, no event handler, and loads only its own files', () => {
    const page = consentPage(view);
    expect(page).not.toMatch(/<style|<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=/i);
    const links = [...page.matchAll(/(?:src|href|action)="([^"]*)"/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(2);
    for (const link of links) expect(findAsset(`/${link}`)?.cacheControl).toContain('immutable');
  });

  test('the request id stands in no link', () => {
    expect(consentPage(view).split('areq_1')).toHaveLength(2);
  });

  test('hostile text anywhere stays text', () => {
    const page = consentPage({
      ...view,
      requestId: HOSTILE,
      agentName: HOSTILE,
      agentDid: HOSTILE,
      agentDescription: HOSTILE,
      developerName: HOSTILE,
      principalId: HOSTILE,
      grantLifeText: HOSTILE,
      redirectHost: HOSTILE,
      scopes: view.scopes.map(() => ({ scope: HOSTILE, description: HOSTILE })),
    });
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).not.toMatch(/<script>|<img|<\/title><\/bdi>/);
    const tags = (text: string) => text.match(/<[^>]*>/g)?.length;
    expect(tags(page)).toBe(tags(consentPage(view)));
  });

  test('names cannot turn the text around, hide in it, or crowd it out', () => {
    const page = consentPage({
      ...view,
      agentName: `\u202Evil\u2066\u200B${'W'.repeat(500)}`,
      developerName: '\u200B',
    });
    expect(page).not.toMatch(/[\u200B\u202A-\u202E\u2066-\u2069]/);
    expect(page).toContain(`<bdi>vil${'W'.repeat(76)}…</bdi>`);
    expect(page).toContain('Unnamed developer');
  });
});

describe('state pages', () => {
  test.each([
    ['expired', 'This request has expired'],
    ['decided', 'This request was already decided'],
    ['unknown', 'We do not know this request'],
    ['limited', 'Too many requests'],
    ['unavailable', 'We cannot show this request just now'],
  ] as const)('%s says so, and offers nothing to decide', (state, heading) => {
    const page = consentStatePage(state);
    expect(page).toContain(`<h1>${heading}</h1>`);
    expect(page).toContain(`<title>${heading}</title>`);
    expect(page).not.toMatch(/<button|<script/);
  });
});

test('exactText never shows two texts alike that differ in what is unseen', () => {
  const texts = [
    'a',
    ' a',
    'a ',
    'a  b',
    'a b',
    'a\u00A0b',
    '\\u{20}a',
    '\u202Ea',
    'a\u0301',
    'a\u0301\u0301\u0301\u0301',
    '\u3164',
  ];
  expect(new Set(texts.map(exactText)).size).toBe(texts.length);
  expect(exactText('a\u0301\u0301\u0301\u0301')).toBe('a\u0301\u0301\u0301\\u{301}');
});

test('displayText keeps what names need', () => {
  for (const name of ['José 🙂', 'نمونه‌ای', '👩‍👩‍👧', 'क्षत्रिय', '株式会社'])
    expect(displayText(name, 80)).toBe(name);
  expect(displayText(' a\n\t b ', 80)).toBe('a b');
  expect(displayText('\u0301\u200D', 80, 'none')).toBe('none');
});

test('html escapes values, joins lists and leaves out nothings', () => {
  const list = ['<a>', html`<b>${'&'}</b>`];
  expect(html`<p title="${`"'`}">${list}${null}${undefined}${false}${0}</p>`.toString()).toBe(
    '<p title="&quot;&#39;">&lt;a&gt;<b>&amp;</b>0</p>',
  );
});
