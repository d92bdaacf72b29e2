import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { list, listed, typesOf } from './anomalies-of.ts';

let service: TestService;
beforeAll(async () => {
  // No scan of all agents comes in between.
  service = await startService({ env: { ANOMALY_SCAN_SECONDS: '86400' } });
});
afterAll(() => service.stop());

test('acknowledged: gone from the open ones, not opened again by the same fact, but by a new one', async () => {
  const party = await newParty(service);
  const { grantToken } = await party.grant({ principalId: 'user_2' });
  const child = await party.delegate(grantToken);
  await party.delegate(child.grantToken);
  await listed(service, party, 'cascade_delegation', 'new_principal');
  // Seen again until nothing is under way any more.
  await service.request('POST', '/v1/anomalies/detect', { key: party.key });
  const path = async (type: string) =>
    `/v1/anomalies/${(await list(service, party)).find((one) => one.type === type)?.id}/acknowledge`;
  const cascade = await path('cascade_delegation');
  const first = await service.request('PATCH', cascade, { key: party.key, body: { notes: 'seen to' } });
  expect([first.status, first.body.type]).toEqual([200, 'cascade_delegation']);
  expect(Date.parse(first.body.acknowledgedAt)).toBeGreaterThan(Date.parse(first.body.detectedAt));
  const again = await service.request('PATCH', cascade, { key: party.key });
  expect([again.status, again.body]).toEqual([200, first.body]);
  expect(await service.database.sql`select notes from anomalies where id = ${first.body.id}`).toEqual([
    { notes: 'seen to' },
  ]);
  expect(typesOf(await list(service, party, '?unacknowledged=true'))).toEqual(['new_principal']);
  for (const query of ['', '?unacknowledged=false'])
    expect(typesOf(await list(service, party, query))).toEqual(['cascade_delegation', 'new_principal']);

  const detect = async () => (await service.request('POST', '/v1/anomalies/detect', { key: party.key })).body;
  expect(typesOf((await detect()).anomalies)).toEqual(['new_principal']);
  await party.delegate(child.grantToken);
  expect(typesOf((await detect()).anomalies)).toEqual(['cascade_delegation', 'new_principal']);
  const both = (await list(service, party)).filter(({ type }) => type === 'cascade_delegation');
  expect(both.map(({ acknowledgedAt }) => acknowledgedAt === null)).toEqual([true, false]);
});

test.each([
  ['PATCH', '/v1/anomalies/anm_unknown/acknowledge', undefined, 404],
  ['PATCH', '/v1/anomalies/anm_unknown/acknowledge', { notes: 5 }, 400],
  ['PATCH', '/v1/anomalies/anm_unknown/acknowledge', { notes: 'x'.repeat(2001) }, 400],
  ['GET', '/v1/anomalies?unacknowledged=perhaps', undefined, 400],
])('%s %s %j: %i', async (method, path, body, status) => {
  const { key } = await newParty(service);
  expect((await service.request(method, path, { key, body })).status).toBe(status);
});

test('401 without a key, on every route', async () => {
  for (const [method, path] of [
    ['POST', '/v1/anomalies/detect'],
    ['GET', '/v1/anomalies'],
    ['PATCH', '/v1/anomalies/anm_1/acknowledge'],
  ] as const)
    expect((await service.request(method, path)).status).toBe(401);
});

test('an agent that is removed leaves its anomalies', async () => {
  const party = await newParty(service);
  await party.grant();
  await listed(service, party, 'new_principal');
  await service.request('DELETE', `/v1/agents/${party.agentId}`, { key: party.key });
  expect(typesOf(await list(service, party))).toEqual(['new_principal']);
});
