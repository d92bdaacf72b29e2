import { expect, test } from 'vitest';
import { parseRedirectUri, redirectHost, withQuery } from '../../src/consent/redirect-uri.ts';

test.each([
  'https://app.example.com/cb?x=1',
  'http://127.0.0.1:8080/cb',
  'com.example.app:/oauth',
  'myapp://callback',
])('%s is a redirect URI', (text) => {
  expect(parseRedirectUri(text)?.href).toBe(new URL(text).href);
});

test.each([
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'java\nscript:alert(1)',
  ' javascript:alert(1)',
  'data:text/html,x',
  'vbscript:x',
  'file:///etc/passwd',
  'blob:https://x/1',
  'about:blank',
  'view-source:https://x',
  'intent://x',
  'ms-settings:x',
  'https://user:pass@example.com/',
  'https://example.com/#fragment',
  'https:example.com',
  'https:///example.com',
  'https://example.com\\@evil.example',
  '/relative',
  'no scheme',
  '',
  `https://example.com/${'x'.repeat(2048)}`,
])('%j is none', (text) => {
  expect(parseRedirectUri(text)).toBeNull();
});

test('a person is told the host, look-alikes in ASCII, or the scheme of an app', () => {
  expect(redirectHost(new URL('https://app.example.com:8443/x'))).toBe('app.example.com:8443');
  expect(redirectHost(new URL('https://exаmple.com/'))).toBe('xn--exmple-4nf.com');
  expect(redirectHost(new URL('com.example.app:/cb'))).toBe('com.example.app');
});

test('the query that is there stays, and no parameter occurs twice', () => {
  expect(withQuery('https://a.example/cb?a=%20b&code=old', { code: 'n&w', state: 's s' })).toBe(
    'https://a.example/cb?a=%20b&code=n%26w&state=s+s',
  );
  expect(withQuery('myapp://cb', { error: 'access_denied', state: null })).toBe(
    'myapp://cb?error=access_denied',
  );
});
