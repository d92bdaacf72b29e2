import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page, Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { accessibilityFaults, launchBrowser } from '../support/browser.ts';
import { newParty, type Party, type TokenPair } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

const SCREENSHOTS = fileURLToPath(new URL('./screenshots/', import.meta.url));

let service: TestService;
let browser: Browser;
beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  service = await startService();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await service.stop();
});

let party: Party;
let context: BrowserContext;
let page: Page;
let complaints: string[];
let requests: { url: string; referer: string | undefined }[];
beforeEach(async () => {
  party = await newParty(service);
  await open({});
});
afterEach(() => context.close());

async function open(options: Parameters<Browser['newContext']>[0]): Promise<void> {
  await context?.close();
  complaints = [];
  requests = [];
  context = await browser.newContext(options);
  page = await context.newPage();
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) =>
    requests.push({ url: request.url(), referer: request.headers()['referer'] }),
  );
}

interface Session {
  readonly sessionToken: string;
  readonly url: string;
}
async function session(fields: Record<string, unknown> = {}, { key } = party): Promise<Session> {
  const answer = await service.request('POST', '/v1/principal-sessions', {
    key,
    body: { principalId: 'user_1', ...fields },
  });
  expect(answer.status).toBe(201);
  const { sessionToken, dashboardUrl } = answer.body;
  return { sessionToken, url: dashboardUrl.replace('localhost', '127.0.0.1') };
}
const shown = () => page.getByRole('heading', { name: 'Active permissions' }).waitFor();
async function visit(): Promise<Session> {
  const opened = await session();
  await page.goto(opened.url);
  await shown();
  return opened;
}
const log = async (grantId: string, action: string, fields: Record<string, unknown> = {}) => {
  const body = { agentId: party.agentId, grantId, action, ...fields };
  expect((await service.request('POST', '/v1/audit/log', { key: party.key, body })).status).toBe(201);
};
/** An agent with a grant that it passed on twice, one after the other; and one whose grant was revoked. */
async function world(): Promise<{ top: TokenPair; child: TokenPair; grandchild: TokenPair }> {
  const [planner, reader, mailer, former] = await Promise.all(
    ['Trip planner', 'Calendar reader', 'Mailer', 'Former helper'].map((name) => party.newAgent({ name })),
  );
  const scopes = ['calendar:read', 'payments:initiate:max_500', 'com.example.reports'];
  const top = await party.grant({ agentId: planner, scopes, expiresIn: '2h' });
  const child = await party.delegate(top.grantToken, { subAgentId: reader });
  const grandchild = await party.delegate(child.grantToken, { subAgentId: mailer });
  const ended = await party.grant({ agentId: former });
  await service.request('DELETE', `/v1/grants/${ended.grantId}`, { key: party.key });
  await log(top.grantId, 'calendar.read', { agentId: planner });
  await log(top.grantId, 'payment.initiate', { status: 'blocked' });
  return { top, child, grandchild };
}
const card = (name: string) =>
  page.locator('article', { has: page.getByRole('heading', { level: 3, name, exact: true }) });
const dialog = () => page.getByRole('dialog');
const confirmButton = (name: string) => dialog().getByRole('button', { name, exact: true });
const focused = () => page.evaluate('document.activeElement.textContent');

test('every grant: the agent, what it may in words, since when and until when, the last use, what was passed on', async () => {
  await world();
  await visit();
  const planner = await card('Trip planner').innerText();
  for (const part of [
    'Active',
    'Read your calendar',
    'Initiate payments (max 500)',
    'com.example.reports',
    'Permitted',
    'Ends',
    'Last used',
  ])
    expect(planner).toContain(part);
  expect(await page.getByRole('main').innerText()).toContain('of the developer Acme, acting for user_1');
  // A tree: each list is within what it was passed on from.
  const below = page.getByRole('list', { name: 'Passed on by Trip planner' });
  expect(await below.getByRole('heading', { name: 'Calendar reader' }).count()).toBe(1);
  const deepest = below.getByRole('list', { name: 'Passed on by Calendar reader' });
  expect(await deepest.getByRole('heading', { level: 3 }).allInnerTexts()).toEqual(['Mailer']);
  expect(await card('Mailer').innerText()).toContain('Passed on by Calendar reader');
  // What has ended is there, out of the way, and cannot be revoked.
  await page.getByText('Ended permissions (1)').click();
  expect(await card('Former helper').innerText()).toContain('Revoked');
  expect(await card('Former helper').getByRole('button').count()).toBe(0);
  const activity = await page.getByRole('region', { name: 'Activity' }).innerText();
  // An agent without a grant of this person's goes by its identity.
  expect(activity).toMatch(
    /payment\.initiate\s+Blocked\s+did:grantex:ag_\w+, .*\s+calendar\.read\s+Done\s+Trip planner, /,
  );
  expect(complaints).toEqual([]);
});

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
  expect(new Set(requests.map(({ url }) => new URL(url).origin))).toEqual(new Set([service.url]));
  for (const { url, referer } of requests.slice(1)) {
    expect(url).not.toContain(sessionToken);
    expect(referer ?? '').not.toContain(sessionToken);
  }
  // It is not in the history either.
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

const meets = (path: string, handler: (route: Route) => Promise<void>) =>
  page.route(path, handler, { times: 1 });

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
    await meets('**/v1/principal/grants', handler);
    const { url } = await session();
    await page.goto(url);
    await page.locator('main > [role=alert]', { hasText: words }).waitFor();
    await page.getByRole('button', { name: 'Try again' }).click();
    await shown();
    expect(await page.locator('main > [role=alert]').textContent()).toBe('');

    await meets('**/v1/principal/grants/*', handler);
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

const heading = () => page.getByRole('heading', { level: 1 }).innerText();

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
    .poll(async () => (await service.request('GET', '/v1/principal/grants', { key: sessionToken })).status, {
      timeout: 5000,
    })
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
  await meets('**/v1/principal/grants/*', (route) => route.fulfill({ status: 401, body: '{}' }));
  await confirmButton('Revoke').click();
  await page.getByRole('heading', { name: 'Your session has ended' }).waitFor();
  expect(await dialog().count()).toBe(0);
  expect(await page.locator('body').innerText()).not.toMatch(/Trip planner|user_1|Acme/);
  expect(await party.verify(top.grantToken)).toBe(true);
});

test('another link followed in the same window shows the other person, and wipes the address bar again', async () => {
  await world();
  await party.grant({ principalId: 'user_2', agentId: await party.newAgent({ name: 'Second agent' }) });
  await visit();
  const other = await session({ principalId: 'user_2' });
  await page.evaluate(`location.hash = ${JSON.stringify(new URL(other.url).hash)}`);
  await card('Second agent').waitFor();
  expect(page.url()).toBe(`${service.url}/permissions`);
  expect(await page.locator('main').innerText()).not.toMatch(/Trip planner|user_1/);
  // Also after the message that the first one has ended.
  await page.goto('about:blank');
  await page.goto(`${service.url}/permissions#session=garbage`);
  await page.getByRole('heading', { name: 'Your session has ended' }).waitFor();
  const again = await session({ principalId: 'user_2' });
  await page.evaluate(`location.hash = ${JSON.stringify(new URL(again.url).hash)}`);
  await card('Second agent').waitFor();
  expect(await heading()).toBe('What agents may do for you');
});

test('older activity comes on demand, without holes or repetitions', async () => {
  const { grantId } = await party.grant();
  for (let n = 1; n <= 120; n++) await log(grantId, `act.${n}`);
  await visit();
  const acts = () => page.locator('[data-action]').allInnerTexts();
  const expected = (from: number, to: number) =>
    Array.from({ length: from - to + 1 }, (_, n) => `act.${from - n}`);
  expect(await acts()).toEqual(expected(120, 71));
  await log(grantId, 'act.121');
  const older = page.getByRole('button', { name: 'Show older activity' });
  await older.click();
  await expect.poll(async () => (await acts()).length).toBe(99);
  await older.click();
  await expect.poll(acts).toEqual(expected(120, 1));
  expect(await older.isVisible()).toBe(false);
});

test.each([
  ['desktop light', { viewport: { width: 1100, height: 900 }, colorScheme: 'light' }],
  ['desktop dark', { viewport: { width: 1100, height: 900 }, colorScheme: 'dark' }],
  ['phone light', { viewport: { width: 360, height: 740 }, colorScheme: 'light', isMobile: true }],
  ['phone dark', { viewport: { width: 320, height: 640 }, colorScheme: 'dark', isMobile: true }],
] as const)('%s: no accessibility faults, nothing wider than the screen', async (name, options) => {
  await open(options);
  await world();
  await visit();
  await page.getByText('Ended permissions').click();
  await page.screenshot({ path: `${SCREENSHOTS}permissions-${name.replace(' ', '-')}.png`, fullPage: true });
  expect(await accessibilityFaults(page)).toEqual([]);
  const width = await page.evaluate('document.documentElement.scrollWidth');
  expect(width).toBeLessThanOrEqual(options.viewport.width);
  await card('Mailer').getByRole('button').click();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.screenshot({ path: `${SCREENSHOTS}permissions-${name.replace(' ', '-')}-dialog.png` });
});

test('hostile names are shown as the text they are', async () => {
  const { apiKey } = await service.signup({ name: '\u202Eemca<img src=x>' });
  const hostile = '<script>document.title="owned"</script>\u202E\u200B';
  const call = async (path: string, body: unknown) =>
    (await service.request('POST', path, { key: apiKey, body })).body;
  const { agentId } = await call('/v1/agents', { name: hostile });
  const { authRequestId } = await call('/v1/authorize', {
    agentId,
    principalId: '<b>user\u202E</b>',
    scopes: ['<img src=x>:read', '\u202Eread'],
  });
  const { code } = await call(`/v1/consent/${authRequestId}/approve`, {});
  const { grantId } = await call('/v1/token', { code, agentId });
  await call('/v1/audit/log', { agentId, grantId, action: '<i>act</i>\u202E' });
  const { url } = await session({ principalId: '<b>user\u202E</b>' }, { ...party, key: apiKey });
  await page.goto(url);
  await shown();
  expect(await page.title()).toBe('Your permissions');
  expect(await page.locator('main :is(img, script, b, i)').count()).toBe(0);
  const text = await page.locator('main').innerText();
  for (const part of [
    '<script>document.title="owned"</script>',
    '<b>user\\u{202E}</b>',
    '\\u{202E}read',
    '<i>act</i>\\u{202E}',
  ])
    expect(text).toContain(part);
  expect(text).not.toMatch(/[\u202E\u200B]/);
  await page.getByRole('button', { name: /^Revoke what/ }).click();
  expect(await dialog().innerText()).toContain('<script>');
  expect(complaints).toEqual([]);
});

test('no other page can frame it, and without JavaScript it says what is missing', async () => {
  const { headers } = await service.request('GET', '/permissions');
  expect(headers.get('content-security-policy')).toMatch(/^default-src 'none';.*frame-ancestors 'none'/);
  expect(headers.get('content-security-policy')).not.toContain('unsafe');
  await open({ javaScriptEnabled: false });
  await page.goto(`${service.url}/permissions`);
  await page.locator('noscript p').waitFor({ state: 'visible' });
  expect(await page.locator('noscript p').textContent()).toContain('This page needs JavaScript');
});
