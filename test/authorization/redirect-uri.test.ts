import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRedirectUri, redirectHost } from '../../src/authorization/redirect-uri.ts';
import { withQuery } from '../../src/pages/assets/with-query.js';

const STRICT = { allowHttp: false };

describe('parseRedirectUri', () => {
  test.each([
    ['https://app.example.com/callback', 'app.example.com'],
    ['https://app.example.com:8443/cb?kept=1', 'app.example.com:8443'],
    ['http://localhost:3000/cb', 'localhost:3000'],
    ['http://127.0.0.1:53112/', '127.0.0.1:53112'],
    ['http://[::1]:8080/cb', '[::1]:8080'],
    ['HTTPS://APP.example.com/cb', 'app.example.com'],
    ['com.example.app:/oauth', 'com.example.app'],
    ['com.example.app://oauth/cb?x=1', 'com.example.app'],
    ['http://127.9.9.9/cb', '127.9.9.9'],
    ['http://127.1/cb', '127.0.0.1'],
    ['com.example.app:cb', 'com.example.app'],
    ['COM.example.App:/cb', 'com.example.app'],
  ])('accepts %s', (text, host) => {
    const url = parseRedirectUri(text, STRICT);
    expect(url && redirectHost(url)).toBe(host);
  });

  test.each([
    '',
    'callback',
    '/callback',
    '//example.com/cb',
    'https:example.com',
    'https:///example.com',
    'https://',
    'https://example.com/#fragment',
    'https://example.com/#',
    'https://user@example.com/',
    'https://user:secret@example.com/',
    'https://@example.com/',
    'com.example.app://user@host/',
    'https://example.com/a b',
    ' https://example.com/',
    'https://example.com\\@evil.example/',
    'https://exämple.com/',
    'http://app.example.com/cb',
    'http://localhost.example.com/cb',
    'http://127.0.0.1.example.com/cb',
    'http://192.168.0.1/cb',
    'http://10.0.0.1:3000/cb',
    'http://0.0.0.0/cb',
    'http://[::]/cb',
    'http://[fe80::1]/cb',
    'http:localhost/cb',
    'myapp://callback',
    'a.:/cb',
    'a..b:/cb',
    'java\nscript:alert(1)',
    `https://example.com/${'a'.repeat(2048)}`,
  ])('refuses %j', (text) => expect(parseRedirectUri(text, STRICT)).toBeNull());

  test.each(
    `javascript data vbscript file blob about view-source filesystem ftp ws wss mailto tel sms intent chrome
    chrome-extension moz-extension ms-msdt ms-settings search-ms microsoft-edge urn cid jar itms itms-services vscode
    vscode-insiders rdp ms-rd zoommtg slack steam whatsapp tg git+ssh custom my-app`.split(/\s+/),
  )('refuses the scheme %s in any spelling', (scheme) => {
    for (const text of [`${scheme}:x`, `${scheme}://x/y`, `${scheme.toUpperCase()}:x`])
      expect(parseRedirectUri(text, { allowHttp: true })).toBeNull();
  });

  test('allowHttp adds http to any host, and nothing else', () => {
    const allowed = (text: string) => parseRedirectUri(text, { allowHttp: true })?.href ?? null;
    expect(allowed('http://app.example.com/cb')).toBe('http://app.example.com/cb');
    expect(allowed('http://10.0.0.1:3000/cb')).toBe('http://10.0.0.1:3000/cb');
    for (const text of [
      'http:app.example.com',
      'http://u@app.example.com/',
      'myapp://cb',
      'ftp://a.example/',
    ])
      expect(allowed(text)).toBeNull();
  });

  test('never gives a URL that runs, or that a parser reads as another', () => {
    const uri = fc.oneof(
      fc.webUrl({ withQueryParameters: true, withFragments: true }),
      fc
        .tuple(fc.constantFrom('javascript', 'JaVaScRiPt', 'data', 'x.y', 'https'), fc.string())
        .map((p) => p.join(':')),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(uri, (text) => {
        const url = parseRedirectUri(text, STRICT);
        if (!url) return;
        expect(url.protocol).toMatch(/^(?:https?:$|.*\..*:$)/);
        expect([url.hash, url.username, url.password]).toEqual(['', '', '']);
      }),
    );
  });
});

test('redirectHost shows an internationalised name as ASCII', () => {
  expect(redirectHost(new URL('https://аpple.com/'))).toBe('xn--pple-43d.com');
});

describe('withQuery', () => {
  test.each([
    ['https://a.example/cb', 'https://a.example/cb?code=c+1&state=s%26'],
    ['https://a.example/cb?', 'https://a.example/cb?code=c+1&state=s%26'],
    ['https://a.example/cb?x=%20y&x=2&flag', 'https://a.example/cb?x=%20y&x=2&flag&code=c+1&state=s%26'],
    ['com.example.app:/cb?x=1', 'com.example.app:/cb?x=1&code=c+1&state=s%26'],
    ['com.example.app:cb', 'com.example.app:cb?code=c+1&state=s%26'],
    ['https://a.example/?state=old&c%6Fde=old&x=1', 'https://a.example/?x=1&code=c+1&state=s%26'],
  ])('%s', (uri, expected) => {
    expect(withQuery(uri, { code: 'c 1', state: 's&' })).toBe(expected);
  });

  test('leaves out what is null or absent', () => {
    expect(withQuery('https://a.example/?state=mine', { error: 'access_denied', state: null })).toBe(
      'https://a.example/?state=mine&error=access_denied',
    );
    expect(withQuery('https://a.example/?x=1', {})).toBe('https://a.example/?x=1');
  });
});
