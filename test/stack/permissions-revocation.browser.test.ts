import type { Route } from 'playwright-core';
import { expect, test } from 'vitest';
import { accessibilityFaults } from '../support/browser.ts';
import {
  complaints,
  focused,
  interceptOnce,
  page,
  party,
  SCREENSHOTS,
  service,
  withWindow,
} from './browser-window.ts';
import { card, confirmButton, dialog, session, shown, visit, world } from './permissions-page.ts';

withWindow();

test('revoking asks first; keeping changes nothing', async () => {
  const { top } = await world();
  await visit();
  await card('Trip planner').getByRole('button').click();
  expect(await dialog().innerText()).toContain('Revoke what Trip planner may do?');
  expect(await dialog().innerText()).toContain('So do 2 permissions passed on from it.');
  expect(await focused()).toBe('Keep');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.screenshot({ path: `${SCREENSHOTS}permissions-dialog.png` });
  await confirmButton('Keep').click();
  await dialog().waitFor({ state: 'hidden' });
  await card('Trip planner').getByRole('button').click();
  await page.keyboard.press('Escape');
  await dialog().waitFor({ state: 'hidden' });
  expect(await party.verify(top.grantToken)).toBe(true);
});

test('with the keyboard alone: the grant and all that was passed on are revoked, and it is said', async () => {
  const { top, child, grandchild } = await world();
  await visit();
  const label = () => page.evaluate('document.activeElement.ariaLabel');
  for (let tabs = 0; tabs < 20 && (await label()) !== 'Revoke what Trip planner may do'; tabs++)
    await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await dialog().waitFor();
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('Revoke');
  await page.keyboard.press('Enter');
  await page.getByText('Done: Trip planner no longer has that permission.').waitFor();
  expect(await focused()).toBe('Active permissions');
  expect(await page.getByText('No agent may act for you.').isVisible()).toBe(true);
  expect(await page.getByText('Ended permissions (2)').isVisible()).toBe(true);
  for (const { grantToken } of [top, child, grandchild]) expect(await party.verify(grantToken)).toBe(false);
  const rows = await service.database.sql`
    select distinct revoked_by from grants where id in ${service.database.sql([top.grantId, child.grantId, grandchild.grantId])}`;
  expect(rows).toEqual([{ revoked_by: 'principal' }]);
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(complaints).toEqual([]);
});

test('what was passed on can be revoked alone', async () => {
  const { top, child, grandchild } = await world();
  await visit();
  await card('Calendar reader').getByRole('button').click();
  expect(await dialog().innerText()).toContain('So does 1 permission passed on from it.');
  await confirmButton('Revoke').click();
  await page.getByText('Done: Calendar reader no longer has that permission.').waitFor();
  expect(await party.verify(child.grantToken)).toBe(false);
  expect(await party.verify(grandchild.grantToken)).toBe(false);
  expect(await party.verify(top.grantToken)).toBe(true);
  expect(await card('Calendar reader').innerText()).toContain('Revoked');
  expect(await card('Trip planner').innerText()).toContain('Active');
});

test('a grant that was revoked elsewhere meanwhile is said to have ended already', async () => {
  const { top } = await world();
  await visit();
  await card('Trip planner').getByRole('button').click();
  await service.request('DELETE', `/v1/grants/${top.grantId}`, { key: party.key });
  await confirmButton('Revoke').click();
  await page.getByText('That permission had already ended.').waitFor();
  expect(await page.getByText('No agent may act for you.').isVisible()).toBe(true);
});

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
    'Please try again.',
  ],
])(
  '%s is said aloud, and the next try counts: for the list and for a revocation',
  async (_case, handler, words) => {
    const { top } = await world();
    await interceptOnce('**/v1/principal/grants\\?*', handler);
    const { url } = await session();
    await page.goto(url);
    await page.locator('main > [role=alert]', { hasText: words }).waitFor();
    await page.getByRole('button', { name: 'Try again' }).click();
    await shown();
    expect(await page.locator('main > [role=alert]').textContent()).toBe('');

    await interceptOnce('**/v1/principal/grants/*', handler);
    await card('Trip planner').getByRole('button').click();
    await confirmButton('Revoke').click();
    await dialog().locator('[role=alert]', { hasText: words }).waitFor();
    expect(await focused()).toBe('Revoke');
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(await party.verify(top.grantToken)).toBe(true);
    await page.keyboard.press('Enter');
    await page.getByText('Done: Trip planner').waitFor();
    expect(await party.verify(top.grantToken)).toBe(false);
  },
);
