import { once } from 'node:events';
import { expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { startService, waitFor } from '../support/service.ts';
import { eventsOnce, openEvents } from './follow.ts';

test('while the stream cannot be read: 503, streams end, and events are kept; then it goes on', async () => {
  const service = await startService();
  const party = await newParty(service);
  const stream = await openEvents(service, party);
  await party.grant();
  const [, last] = await eventsOnce(stream, 2);
  const { sql } = service.database;
  const held = await sql.reserve();
  await held`begin`;
  await held`lock table feed_positions in access exclusive mode`;
  await stream.ended;
  expect(stream.response.complete).toBe(true);
  const refused = await service.request('GET', '/v1/events/stream', { key: party.key });
  expect([refused.status, refused.body.code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
  // An event needs no number.
  const grant = await party.grant();
  await waitFor(async () => {
    const works = (await service.logged('background.work_failed')).map(({ work }) => work);
    return works.includes('event_stream') || undefined;
  });
  await held`rollback`;
  held.release();
  const again = await waitFor(async () => {
    const opened = await openEvents(service, party, { after: last?.id });
    return opened.status === 200 ? opened : undefined;
  });
  expect((await eventsOnce(again, 2)).map(({ data }) => data['grantId'])).toEqual([
    grant.grantId,
    grant.grantId,
  ]);
  again.close();
  await service.stop();
});

test('SIGTERM ends streams in order, and a reader goes on after a restart', async () => {
  const service = await startService();
  const party = await newParty(service);
  const streams = [await openEvents(service, party), await openEvents(service, party)];
  const [stream] = streams as [(typeof streams)[0]];
  await party.grant();
  const [first, second] = await eventsOnce(stream, 2);
  const exited = once(service.process, 'exit');
  service.process.kill('SIGTERM');
  await Promise.all(streams.map(({ ended }) => ended));
  expect(streams.map(({ response }) => response.complete)).toEqual([true, true]);
  expect((await exited)[0]).toBe(0);
  const { database } = service;
  const next = await startService({ database });
  const again = await openEvents(next, party, { after: first?.id });
  expect(await eventsOnce(again, 1)).toEqual([second]);
  again.close();
  await next.stop();
  await database.drop();
});
