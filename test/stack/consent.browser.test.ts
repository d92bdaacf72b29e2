import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { accessibilityFaults } from '../support/browser.ts';
import { waitFor } from '../support/service.ts';
import {
  complaints,
  focused,
  openWindow,
  originsAsked,
  page,
  party,
  SCREENSHOTS,
  service,
  withWindow,
} from './browser-window.ts';

const SCOPES = ['calendar:read', 'payments:initiate:max_500', 'com.example.reports'];

withWindow();

let application: Server;
let arrivals: IncomingMessage[];
let callback: string;

beforeAll(async () => {
  application = createServer((req, res) => {
    if (req.url !== '/favicon.ico') arrivals.push(req);
    res
      .setHeader('content-type', 'text/html')
      .end('<!doctype html><title>Back</title><h1>Back at the app</h1>');
  }).listen(0, '127.0.0.1');
  await once(application, 'listening');
  callback = `http://127.0.0.1:${(application.address() as AddressInfo).port}/callback?kept=1`;
});
afterAll(() => {
  application.closeAllConnections();
  application.close();
});
beforeEach(() => {
  arrivals = [];
});

/** Makes a pending request and opens its page. */
async function ask(fields: Record<string, unknown> = {}): Promise<string> {
  const { authRequestId } = await party.authorize({ scopes: SCOPES, ...fields });
  await page.goto(`${service.url}/consent?req=${authRequestId}`);
  return authRequestId;
}

test('the page says who asks, for what in plain words, for how long, and offers both answers alike', async () => {
  await ask({ expiresIn: '2h' });
  await expect(page.getByRole('heading', { level: 1 }).innerText()).resolves.toMatch(
    /Allow Agent\s+to act for you\?/,
  );
  const text = await page.locator('main').innerText();
  for (const part of ['Acme', 'Read your calendar', ...SCOPES, '2 hours', `did:grantex:${party.agentId}`])
    expect(text).toContain(part);
  const [deny, approve] = await Promise.all(
    ['Deny', 'Approve'].map((name) => page.getByRole('button', { name, exact: true }).boundingBox()),
  );
  expect(deny?.width).toBe(approve?.width);
  expect(deny?.height).toBe(approve?.height);
  expect(approve?.height).toBeGreaterThanOrEqual(44);
  expect(originsAsked()).toEqual(new Set([service.url]));
  expect(complaints).toEqual([]);
});

test('approving goes back with code and state, the code exchanges, and the request id stays behind', async () => {
  const id = await ask({ redirectUri: callback, state: 'xyz & more' });
  await page.getByRole('button', { name: 'Approve', exact: true }).click();
  await page.getByRole('heading', { name: 'Back at the app' }).waitFor();
  const arrived = new URL(arrivals[0]?.url ?? '', callback);
  expect(arrived.searchParams.get('kept')).toBe('1');
  expect(arrived.searchParams.get('state')).toBe('xyz & more');
  expect(arrivals[0]?.headers.referer).toBeUndefined();
  expect(JSON.stringify([arrivals[0]?.url, arrivals[0]?.headers])).not.toContain(id);
  const { grantToken, scopes } = await party.exchange(arrived.searchParams.get('code') ?? '');
  expect(scopes).toEqual(SCOPES);
  expect(await party.verify(grantToken)).toBe(true);
});

test('denying goes back with access_denied and state', async () => {
  await ask({ redirectUri: callback, state: 's1' });
  await page.getByRole('button', { name: 'Deny', exact: true }).click();
  await page.getByRole('heading', { name: 'Back at the app' }).waitFor();
  const { searchParams } = new URL(arrivals[0]?.url ?? '', callback);
  expect(Object.fromEntries(searchParams)).toEqual({ kept: '1', error: 'access_denied', state: 's1' });
});

test('without a redirectUri the code is shown, and exchanges; with the keyboard alone', async () => {
  await ask();
  for (let tabs = 0; tabs < 10 && (await focused()) !== 'Approve'; tabs++) await page.keyboard.press('Tab');
  expect(await focused()).toBe('Approve');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Approved' }).waitFor();
  expect(await focused()).toBe('Approved');
  const code = await page.locator('[data-code]').innerText();
  await page.screenshot({ path: `${SCREENSHOTS}code.png`, fullPage: true });
  expect(await accessibilityFaults(page)).toEqual([]);
  const { grantToken } = await party.exchange(code);
  expect(await party.verify(grantToken)).toBe(true);
  expect(complaints).toEqual([]);
});

test.each([
  ['desktop light', { viewport: { width: 1100, height: 900 }, colorScheme: 'light' }],
  ['desktop dark', { viewport: { width: 1100, height: 900 }, colorScheme: 'dark' }],
  ['phone light', { viewport: { width: 360, height: 740 }, colorScheme: 'light', isMobile: true }],
  ['phone dark', { viewport: { width: 320, height: 640 }, colorScheme: 'dark', isMobile: true }],
] as const)('%s: no accessibility faults, nothing wider than the screen', async (name, options) => {
  await openWindow(options);
  await ask({ redirectUri: callback });
  await page.screenshot({ path: `${SCREENSHOTS}${name.replace(' ', '-')}.png`, fullPage: true });
  expect(await accessibilityFaults(page)).toEqual([]);
  const width = await page.evaluate('document.documentElement.scrollWidth');
  expect(width).toBeLessThanOrEqual(options.viewport.width);
});

test('unknown, decided and expired requests get a page that says so', async () => {
  const visit = async (id: string) => {
    const response = await page.goto(`${service.url}/consent?req=${id}`);
    const faults = await accessibilityFaults(page);
    return [response?.status(), await page.getByRole('heading', { level: 1 }).innerText(), faults];
  };
  expect(await visit('areq_unknown')).toEqual([404, 'We do not know this request', []]);
  const { authRequestId: decided } = await party.authorize();
  await service.request('POST', `/v1/consent/${decided}/deny`);
  expect(await visit(decided)).toEqual([410, 'This request was already decided', []]);
  const { authRequestId: late } = await party.authorize();
  await service.database.sql`update authorization_requests set expires_at = now() where id = ${late}`;
  expect(await visit(late)).toEqual([410, 'This request has expired', []]);
  await page.screenshot({ path: `${SCREENSHOTS}expired.png` });
});

test('a request that is decided elsewhere meanwhile is reported, not approved twice', async () => {
  const id = await ask();
  await service.request('POST', `/v1/consent/${id}/deny`);
  await page.getByRole('button', { name: 'Approve', exact: true }).click();
  await page.getByRole('heading', { name: 'This request is closed' }).waitFor();
  const [row] = await service.database.sql`select status from authorization_requests where id = ${id}`;
  expect(row?.['status']).toBe('denied');
});

test('a decision that comes too late is told so, whatever the clock of the device says', async () => {
  const { authRequestId: id } = await party.authorize();
  await service.database
    .sql`update authorization_requests set expires_at = now() + interval '2 seconds' where id = ${id}`;
  await page.goto(`${service.url}/consent?req=${id}`);
  await page.evaluate('Date.now = () => 0');
  await waitFor(async () => {
    const { status } = await service.request('GET', `/v1/consent/${id}`);
    return status === 410 || undefined;
  });
  await page.getByRole('button', { name: 'Approve', exact: true }).click();
  await page.getByRole('heading', { name: 'This request has expired' }).waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
});

test('no other page can frame it', async () => {
  const { authRequestId } = await party.authorize();
  await page.goto(callback);
  const refused = page.waitForEvent('console', (message) => /frame/i.test(message.text()));
  await page.evaluate(`{
    const frame = document.createElement('iframe');
    frame.src = ${JSON.stringify(`${service.url}/consent?req=${authRequestId}`)};
    document.body.append(frame);
  }`);
  expect((await refused).text()).toMatch(/frame-ancestors|X-Frame-Options/);
});

test('hostile names are shown as the text they are', async () => {
  const agentId = await party.newAgent({
    name: '<script>document.title="owned"</script>',
    description: '"><img src=x>',
  });
  await ask({ agentId });
  expect(await page.title()).not.toBe('owned');
  expect(await page.locator('main img, main script').count()).toBe(0);
  expect(await page.locator('main').innerText()).toContain('<script>');
});
