import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { readOptions } from '../command-line.ts';

const USAGE = `usage: npm run documents:pictures -- [options]

Takes the pictures of pages in docs/pictures from a running service. It signs up a developer there.

  --base <url>      the service (http://localhost:3001)
  --browser <path>  a Chromium (/usr/bin/chromium)
  --help
`;

const { base, browser: executablePath } = readOptions(USAGE, {
  base: { type: 'string', default: 'http://localhost:3001' },
  browser: { type: 'string', default: '/usr/bin/chromium' },
});
const PICTURES = new URL('../../../docs/pictures/', import.meta.url);
const PRINCIPAL = 'user_42';

async function post(path: string, key: string | undefined, body: unknown): Promise<Record<string, string>> {
  const response = await fetch(base + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, string>;
}

const { apiKey: key } = await post('/v1/signup', undefined, { name: 'Acme Travel' });
const agent = async (name: string) => (await post('/v1/agents', key, { name }))['agentId'];
const ask = (agentId: string | undefined, scopes: readonly string[]) =>
  post('/v1/authorize', key, { agentId, principalId: PRINCIPAL, scopes, expiresIn: '30d' });
/** Makes a grant that the principal approves. */
async function permit(agentId: string | undefined, scopes: readonly string[]) {
  const { authRequestId } = await ask(agentId, scopes);
  const { code } = await post(`/v1/consent/${authRequestId}/approve`, undefined, {});
  return post('/v1/token', key, { code, agentId });
}

const planner = await agent('Trip planner');
const { grantId } = await permit(planner, ['calendar:read', 'payments:initiate:max_500']);
await post('/v1/audit/log', key, { agentId: planner, grantId, action: 'calendar.read' });
await permit(await agent('Mail assistant'), ['email:send']);
const { consentUrl = '' } = await ask(planner, ['calendar:read', 'email:send', 'payments:initiate:max_500']);
const { dashboardUrl = '' } = await post('/v1/principal-sessions', key, { principalId: PRINCIPAL });

await mkdir(PICTURES, { recursive: true });
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
try {
  const shots = [
    { name: 'consent', url: consentUrl, shown: 'Approve' },
    { name: 'permissions', url: dashboardUrl, shown: 'Revoke' },
  ];
  for (const { name, url, shown } of shots) {
    const page = await browser.newPage({ viewport: { width: 760, height: 640 } });
    await page.goto(url);
    await page.getByRole('button', { name: shown }).first().waitFor();
    await page.screenshot({ path: fileURLToPath(new URL(`${name}.png`, PICTURES)), fullPage: true });
    process.stdout.write(`docs/pictures/${name}.png\n`);
  }
} finally {
  await browser.close();
}
