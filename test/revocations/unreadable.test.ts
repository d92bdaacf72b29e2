import { expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, waitFor } from '../support/service.ts';
import { openStream, pollFrom } from './follow.ts';

test('while the feed cannot be read: no heartbeats, 503, streams end, the lag grows; then all is well again', async () => {
  const service = await startService();
  const party = await newParty(service);
  const { cursor } = (await service.request('GET', '/v1/revocations', { key: party.key })).body;
  const get = (path: string) => service.request('GET', path, { key: party.key });
  const lag = async () =>
    (await service.scrape()).value('grantex_revocation_feed_lag_seconds', { transport: 'stream' }) ?? -1;
  expect(await lag()).toBeLessThan(5);
  const stream = await openStream(service, '/v1/revocations/stream', party);
  const waiting = get(`/v1/revocations?since=${cursor}&wait=8`);
  await waitFor(() => stream.events.some(({ event }) => event === 'heartbeat') || undefined);
  const grant = await party.grant();

  const { sql } = service.database;
  const held = await sql.reserve();
  await held`begin`;
  await held`lock table feed_positions in access exclusive mode`;
  expect((await get('/v1/revocations')).status).toBe(503);
  // A revocation needs no feed.
  expect((await service.request('DELETE', `/v1/grants/${grant.grantId}`, { key: party.key })).status).toBe(
    204,
  );
  await waitFor(async () => ((await lag()) > 5 ? true : undefined));
  expect((await waiting).status).toBe(503);
  const begun = performance.now();
  expect((await get(`/v1/revocations?since=${cursor}&wait=5`)).status).toBe(503);
  // Not after a wait for the database.
  expect(performance.now() - begun).toBeLessThan(1500);
  const beats = stream.events.length;
  await stream.ended;
  expect(stream.response.complete).toBe(true);
  expect(stream.events.length - beats).toBeLessThanOrEqual(1);
  expect((await service.logged('background.work_failed'))[0]).toMatchObject({ work: 'revocation_feed' });

  await held`rollback`;
  held.release();
  await waitFor(async () => ((await get('/v1/revocations')).status === 200 ? true : undefined));
  const entries = await pollFrom(service, party.key, cursor, 1);
  expect(entries.map(({ grantId }) => grantId)).toEqual([grant.grantId]);
  await service.stop();
});
