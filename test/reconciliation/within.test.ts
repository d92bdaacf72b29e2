import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Period, totalsWithin } from '../../src/reconciliation/store.ts';
import { newParty } from '../support/flow.ts';
import { queryableOf } from '../support/reconcile.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { deliveriesOnce, HOOK_ENV, hook } from '../webhooks/hooks.ts';
import { startReceiver } from '../webhooks/receiver.ts';

const MINUTE = 60_000;
let service: TestService;
beforeAll(async () => {
  service = await startService({ env: { ...HOOK_ENV, WEBHOOK_MAX_ATTEMPTS: '1' } });
});
afterAll(() => service.stop());

const within = (...periods: Period[]) => totalsWithin(queryableOf(service.database), periods);
const around = (time: number): Period => ({ from: new Date(time - MINUTE), to: new Date(time + MINUTE) });

test('what was removed may have been counted in its own minute, and at no other time', async () => {
  const receiver = await startReceiver();
  const party = await newParty(service, 'sandbox');
  const { key } = party;
  const webhooks = [
    await hook(service, party, receiver.url, ['grant.created']),
    await hook(service, party, 'http://127.0.0.1:1/', ['grant.created']),
  ] as const;
  const doomed = await party.newAgent();
  const { refreshToken, grantToken } = await party.grant({ agentId: doomed });
  await party.delegate(grantToken, { subAgentId: doomed });
  const body = { refreshToken, agentId: doomed };
  expect((await service.request('POST', '/v1/token/refresh', { key, body })).status).toBe(201);
  // The grant and what was delegated from it: one delivery each.
  await deliveriesOnce(service, party, webhooks[0], ({ status }) => status === 'delivered', 2);
  await deliveriesOnce(service, party, webhooks[1], ({ status }) => status === 'failed', 2);
  const now = Date.now();
  const counted = {
    requested: 1,
    consented: 1,
    delegated: 1,
    refreshed: 1,
    revoked: 0,
    delivered: 2,
    failed: 2,
    anomalies: {},
  };
  expect({ ...(await within(around(now))), anomalies: {} }).toEqual(counted);

  for (const { id } of webhooks)
    expect((await service.request('DELETE', `/v1/webhooks/${id}`, { key })).status).toBe(204);
  expect((await service.request('DELETE', `/v1/agents/${doomed}`, { key })).status).toBe(204);
  await waitFor(async () => {
    const [left] = await service.database.sql`select count(*)::int as n from agents where id = ${doomed}`;
    return left?.['n'] === 0 || undefined;
  });
  const { revoked, ...others } = await within(around(now));
  expect({ ...others, anomalies: {} }).toEqual({ ...counted, revoked: undefined });
  expect(revoked).toBeGreaterThanOrEqual(2);
  const nothing = {
    ...counted,
    requested: 0,
    consented: 0,
    delegated: 0,
    refreshed: 0,
    delivered: 0,
    failed: 0,
  };
  for (const time of [now - 60 * MINUTE, now + 60 * MINUTE])
    expect(await within(around(time))).toEqual(nothing);
  await receiver.close();
});
