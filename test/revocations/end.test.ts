import { once } from 'node:events';
import { expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, waitFor } from '../support/service.ts';
import { openStream } from './follow.ts';

test('SIGTERM ends streams and waiting polls at once and in order', async () => {
  const service = await startService({ env: { SHUTDOWN_TIMEOUT_MS: '60000' } });
  const party = await newParty(service);
  const { cursor } = (await service.request('GET', '/v1/revocations', { key: party.key })).body;
  const streams = await Promise.all(
    [1, 2, 3].map(() => openStream(service, '/v1/revocations/stream', party)),
  );
  const poll = service.request('GET', `/v1/revocations?since=${cursor}&wait=30`, { key: party.key });
  await waitFor(async () => {
    const clients = (await service.scrape()).sum('grantex_revocation_feed_clients');
    return clients === 4 || undefined;
  });
  const exited = once(service.process, 'exit');
  service.process.kill('SIGTERM');
  const stopped = await service.logged('service.stopping');
  await Promise.all(streams.map(({ ended }) => ended));
  expect(streams.map(({ response }) => response.complete)).toEqual([true, true, true]);
  expect(await poll).toMatchObject({ status: 200, body: { entries: [], cursor } });
  expect((await exited)[0]).toBe(0);
  const [end] = await service.logged('service.stopped');
  const tookMs = Date.parse(String(end?.['timestamp'])) - Date.parse(String(stopped[0]?.['timestamp']));
  // A third of what a shutdown may take.
  expect(tookMs).toBeLessThan(20_000);
  await service.database.drop();
});

test('REVOCATION_FEED=false: the routes are a 404, and entries are kept for the other replicas', async () => {
  const off = await startService({ env: { REVOCATION_FEED: 'false' } });
  const party = await newParty(off);
  const { grantId } = await party.grant();
  await off.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
  for (const path of ['/v1/revocations', '/v1/revocations?since=0&wait=1', '/v1/revocations/stream']) {
    const { status, body } = await off.request('GET', path, { key: party.key });
    expect([status, body.code]).toEqual([404, 'NOT_FOUND']);
  }
  const status = await off.request('GET', `/v1/revocations/status?grantId=${grantId}`, { key: party.key });
  expect(status.status).toBe(200);
  await waitFor(async () => {
    const rows = await off.database.sql`select from revocation_entries where grant_id = ${grantId}`;
    return rows.length === 1 || undefined;
  });
  await off.stop();
});
