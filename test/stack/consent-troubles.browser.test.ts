import type { Route } from 'playwright-core';
import { expect, test } from 'vitest';
import { accessibilityFaults } from '../support/browser.ts';
import { focused, interceptOnce, openWindow, page, party, service, withWindow } from './browser-window.ts';

withWindow({ permissions: ['clipboard-read', 'clipboard-write'] });

const button = (name: string) => page.getByRole('button', { name, exact: true });
const heading = (name: string) => page.getByRole('heading', { level: 1, name });
const alertText = async () => {
  await page.locator('[role=alert]:not(:empty)').waitFor();
  return page.locator('[role=alert]').textContent();
};

async function ask(fields: Record<string, unknown> = {}): Promise<string> {
  const { authRequestId } = await party.authorize(fields);
  await page.goto(`${service.url}/consent?req=${authRequestId}`);
  return authRequestId;
}

/** Lets the handler answer the next decision instead of the service. Later decisions reach the service. */
const answerNextDecision = (handler: (route: Route) => Promise<void>) =>
  interceptOnce('**/v1/consent/**', handler);

test.each([
  ['a connection that breaks', (route: Route) => route.abort(), 'We could not reach the service.'],
  [
    'a rate limit',
    (route: Route) => route.fulfill({ status: 429, headers: { 'retry-after': '7' }, body: '{}' }),
    'Please try again in 7 seconds.',
  ],
  [
    'a service that is down',
    (route: Route) => route.fulfill({ status: 503, body: '{}' }),
    'Nothing was decided.',
  ],
])('%s is said aloud, the focus stays, and the next press counts', async (_case, handler, words) => {
  await answerNextDecision(handler);
  await ask();
  await button('Approve').focus();
  await page.keyboard.press('Enter');
  expect(await alertText()).toContain(words);
  expect(await focused()).toBe('Approve');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.keyboard.press('Enter');
  await heading('Approved').waitFor();
});

test('while a decision is under way neither button can be pressed', async () => {
  const released = Promise.withResolvers<void>();
  await answerNextDecision(async (route) => {
    await released.promise;
    await route.continue();
  });
  await ask();
  await button('Deny').click();
  expect(await button('Deny').isDisabled()).toBe(true);
  expect(await button('Approve').isDisabled()).toBe(true);
  expect(await page.getByRole('status').textContent()).toBe('Sending your decision…');
  released.resolve();
  await heading('Denied').waitFor();
  expect(await page.locator('main').textContent()).toContain('You can close this page.');
});

test('a press right after the window came to the front does not count', async () => {
  const id = await ask();
  await page.evaluate(`window.dispatchEvent(new Event('focus')); document.querySelector('.approve').click()`);
  expect(await alertText()).toContain('only just come to the front');
  const [row] = await service.database.sql`select status from authorization_requests where id = ${id}`;
  expect(row?.['status']).toBe('pending');
});

test('the code can be copied', async () => {
  await ask();
  await button('Approve').click();
  await button('Copy code').click();
  await page.getByText('Copied.').waitFor();
  const copied = String(await page.evaluate('navigator.clipboard.readText()'));
  expect(copied).toBe(await page.locator('[data-code]').textContent());
});

test('an app with a scheme of its own gets a link as well, should nothing happen', async () => {
  await ask({ redirectUri: 'com.example.app:/cb?x=1', state: 's' });
  await button('Approve').click();
  const link = await page.getByRole('link', { name: 'Continue to com.example.app' }).getAttribute('href');
  expect(link).toMatch(/^com\.example\.app:\/cb\?x=1&code=[^&]+&state=s$/);
});

test('without JavaScript the page says what is missing', async () => {
  await openWindow({ javaScriptEnabled: false });
  const { authRequestId } = await party.authorize();
  await page.goto(`${service.url}/consent?req=${authRequestId}`);
  // Playwright's text engine ignores noscript elements.
  await page.locator('noscript p').waitFor({ state: 'visible' });
  expect(await page.locator('noscript p').textContent()).toContain('This page needs JavaScript');
});

test('pages of every state carry the same policy', async () => {
  const { authRequestId } = await party.authorize();
  for (const id of [authRequestId, 'areq_unknown', '']) {
    const { headers } = await service.request('GET', `/consent?req=${id}`);
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none';.*frame-ancestors 'none'/);
    expect(headers.get('content-security-policy')).not.toContain('unsafe-inline');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('cache-control')).toBe('no-store');
  }
});
