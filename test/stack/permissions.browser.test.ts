import { expect, test } from 'vitest';
import { accessibilityFaults } from '../support/browser.ts';
import { complaints, openWindow, page, party, SCREENSHOTS, service, withWindow } from './browser-window.ts';
import { card, confirmButton, dialog, log, session, shown, visit, world } from './permissions-page.ts';

withWindow();

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
  // The lists form a tree: each is inside the grant that it was delegated from.
  const below = page.getByRole('list', { name: 'Passed on by Trip planner' });
  expect(await below.getByRole('heading', { name: 'Calendar reader' }).count()).toBe(1);
  const deepest = below.getByRole('list', { name: 'Passed on by Calendar reader' });
  expect(await deepest.getByRole('heading', { level: 3 }).allInnerTexts()).toEqual(['Mailer']);
  expect(await card('Mailer').innerText()).toContain('Passed on by Calendar reader');
  // Ended permissions are in a closed section and cannot be revoked.
  await page.getByText('Ended permissions (1)').click();
  expect(await card('Former helper').innerText()).toContain('Revoked');
  expect(await card('Former helper').getByRole('button').count()).toBe(0);
  const activity = await page.getByRole('region', { name: 'Activity' }).innerText();
  // An agent without a grant of this person appears by its identity.
  expect(activity).toMatch(
    /payment\.initiate\s+Blocked\s+did:grantex:ag_\w+, .*\s+calendar\.read\s+Done\s+Trip planner, /,
  );
  expect(complaints).toEqual([]);
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

test('more permissions come on demand, without holes or repetitions, and stay shown after a revocation', async () => {
  const { top } = await world();
  const { developerId, agentId } = party;
  // Older than the others, so that they come after them. The last one is the oldest.
  await service.database.sql`
    insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at, root_grant_id,
      delegation_depth)
    select 'grnt_' || n || ${developerId}, ${developerId}, ${agentId}, 'user_1', array['old:' || n], 'active',
      now() - make_interval(mins => n), now() + interval '1 hour', 'grnt_' || n || ${developerId}, 0
    from generate_series(1, 116) n`;
  await visit();
  const active = page.getByRole('region', { name: 'Active permissions' });
  const olds = async () =>
    (await active.locator('.scopes code').allInnerTexts()).filter((scope) => scope.startsWith('old:'));
  const expected = (last: number) => Array.from({ length: last }, (_, n) => `old:${n + 1}`);
  const more = page.getByRole('button', { name: 'Show more permissions' });
  expect(await olds()).toEqual(expected(47));
  expect(await page.locator('main').innerText()).toContain('50 of 120 permissions are shown.');
  expect(await accessibilityFaults(page)).toEqual([]);
  await more.click();
  await expect.poll(olds).toEqual(expected(97));
  // What was revoked moves to the ended ones at the end of the list, and everything else one place up.
  await card('Trip planner').getByRole('button').click();
  await confirmButton('Revoke').click();
  await page.getByText('Done: Trip planner').waitFor();
  expect(await olds()).toEqual(expected(100));
  await more.click();
  await expect.poll(olds).toEqual(expected(116));
  expect(await page.getByText('Ended permissions (2)').isVisible()).toBe(true);
  expect(await more.isVisible()).toBe(false);
  expect(await page.locator('main').innerText()).not.toContain('permissions are shown');
  expect(await party.verify(top.grantToken)).toBe(false);
  expect(complaints).toEqual([]);
});

test.each([
  ['desktop light', { viewport: { width: 1100, height: 900 }, colorScheme: 'light' }],
  ['desktop dark', { viewport: { width: 1100, height: 900 }, colorScheme: 'dark' }],
  ['phone light', { viewport: { width: 360, height: 740 }, colorScheme: 'light', isMobile: true }],
  ['phone dark', { viewport: { width: 320, height: 640 }, colorScheme: 'dark', isMobile: true }],
] as const)('%s: no accessibility faults, nothing wider than the screen', async (name, options) => {
  await openWindow(options);
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
  await openWindow({ javaScriptEnabled: false });
  await page.goto(`${service.url}/permissions`);
  await page.locator('noscript p').waitFor({ state: 'visible' });
  expect(await page.locator('noscript p').textContent()).toContain('This page needs JavaScript');
});
