import { expect } from 'vitest';
import type { TokenPair } from '../support/flow.ts';
import { page, party, service } from './browser-window.ts';

interface Session {
  readonly sessionToken: string;
  readonly url: string;
}
export async function session(fields: Record<string, unknown> = {}, { key } = party): Promise<Session> {
  const answer = await service.request('POST', '/v1/principal-sessions', {
    key,
    body: { principalId: 'user_1', ...fields },
  });
  expect(answer.status).toBe(201);
  const { sessionToken, dashboardUrl } = answer.body;
  return { sessionToken, url: dashboardUrl.replace('localhost', '127.0.0.1') };
}
export const shown = () => page.getByRole('heading', { name: 'Active permissions' }).waitFor();
export async function visit(): Promise<Session> {
  const opened = await session();
  await page.goto(opened.url);
  await shown();
  return opened;
}
export const log = async (grantId: string, action: string, fields: Record<string, unknown> = {}) => {
  const body = { agentId: party.agentId, grantId, action, ...fields };
  expect((await service.request('POST', '/v1/audit/log', { key: party.key, body })).status).toBe(201);
};
/** Makes an agent whose grant was delegated and delegated again, and another agent whose grant was revoked. */
export async function world(): Promise<{ top: TokenPair; child: TokenPair; grandchild: TokenPair }> {
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
export const card = (name: string) =>
  page.locator('article', { has: page.getByRole('heading', { level: 3, name, exact: true }) });
export const dialog = () => page.getByRole('dialog');
export const confirmButton = (name: string) => dialog().getByRole('button', { name, exact: true });
