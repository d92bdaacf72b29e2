import { expect, test } from 'vitest';
import { accessibilityFaults } from '../support/browser.ts';
import {
  focused,
  interceptOnce,
  originsAsked,
  page,
  party,
  requests,
  SCREENSHOTS,
  service,
  withWindow,
} from './browser-window.ts';
import { card, confirmButton, dialog, session, shown, visit, world } from './permissions-page.ts';

withWindow();

test('the token leaves the address bar at once, and nothing but its own origin hears of it', async () => {
  await world();
  const { sessionToken } = await session();
  await page.goto('about:blank');
  await page.goto(`${service.url}/permissions#session=${sessionToken}`);
  await shown();
  expect(page.url()).toBe(`${service.url}/permissions`);
  expect(
    await page.evaluate(
      'JSON.stringify([history.state, {...localStorage}, {...sessionStorage}, document.cookie])',
    ),
  ).toBe('[null,{},{},""]');
  expect(await page.content()).not.toContain(sessionToken);
  expect(originsAsked()).toEqual(new Set([service.url]));
  for (const { url, referer } of requests.slice(1)) {
    expect(url).not.toContain(sessionToken);
    expect(referer ?? '').not.toContain(sessionToken);
  }
  // The token is not in the history either.
  await page.goBack();
  expect(page.url()).toBe('about:blank');
  await page.goForward();
  expect(page.url()).toBe(`${service.url}/permissions`);
});

test('the address bar is wiped although the rest of the page never comes', async () => {
  await page.route('**/permissions.js', (route) => route.abort());
  const { url } = await session();
  await page.goto(url);
  await expect.poll(() => page.url()).toBe(`${service.url}/permissions`);
});

test('without a session, with one that is garbage, and with one that has expired: a clear message, nothing else', async () => {
  await page.goto(`${service.url}/permissions`);
  await page.getByRole('heading', { name: 'This page needs a personal link' }).waitFor();
  expect(await focused()).toBe('This page needs a personal link');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.goto('about:blank');
  await page.goto(`${service.url}/permissions#session=garbage`);
  await page.getByRole('heading', { name: 'Your session has ended' }).waitFor();
  expect(page.url()).toBe(`${service.url}/permissions`);
  const { url, sessionToken } = await session({ expiresIn: '1s' });
  await expect
    .poll(async () => (await service.request('GET', '/v1/principal/grants', { key: sessionToken })).status)
    .toBe(401);
  await page.goto('about:blank');
  await page.goto(url);
  await page.getByRole('heading', { name: 'Your session has ended' }).waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.screenshot({ path: `${SCREENSHOTS}permissions-ended.png` });
});

test('a session that ends while the page is open takes everything off it', async () => {
  const { top } = await world();
  await visit();
  await card('Trip planner').getByRole('button').click();
  await interceptOnce('**/v1/principal/grants/*', (route) => route.fulfill({ status: 401, body: '{}' }));
  await confirmButton('Revoke').click();
  await page.getByRole('heading', { name: 'Your session has ended' }).waitFor();
  expect(await dialog().count()).toBe(0);
  expect(await page.locator('body').innerText()).not.toMatch(/Trip planner|user_1|Acme/);
  expect(await party.verify(top.grantToken)).toBe(true);
});

const heading = () => page.getByRole('heading', { level: 1 }).innerText();

test('another link followed in the same window shows the other person, and wipes the address bar again', async () => {
  await world();
  await party.grant({ principalId: 'user_2', agentId: await party.newAgent({ name: 'Second agent' }) });
  await visit();
  const other = await session({ principalId: 'user_2' });
  await page.evaluate(`location.hash = ${JSON.stringify(new URL(other.url).hash)}`);
  await card('Second agent').waitFor();
  expect(page.url()).toBe(`${service.url}/permissions`);
  expect(await page.locator('main').innerText()).not.toMatch(/Trip planner|user_1/);
  // A new link also works after the message that the first session has ended.
  await page.goto('about:blank');
  await page.goto(`${service.url}/permissions#session=garbage`);
  await page.getByRole('heading', { name: 'Your session has ended' }).waitFor();
  const again = await session({ principalId: 'user_2' });
  await page.evaluate(`location.hash = ${JSON.stringify(new URL(again.url).hash)}`);
  await card('Second agent').waitFor();
  expect(await heading()).toBe('What agents may do for you');
});
