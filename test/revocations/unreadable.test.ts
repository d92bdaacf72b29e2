import { expect, test } from 'vitest';
import { sentSpans, startSink } from '../instrumentation/child.ts';
import { newParty } from '../support/flow.ts';
import { startService, waitFor } from '../support/service.ts';
import { openStream, pollFrom } from './follow.ts';

test('while the feed cannot be read: no heartbeats, 503, streams end, the lag grows; then all is well again', async () => {
  const collector = await startSink();
  const service = await startService({
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
  });
  const party = await newParty(service);
  const { cursor } = (await service.request('GET', '/v1/revocations', { key: party.key })).body;
  const answered = new Map<number, number>();
  const get = async (path: string) => {
    const answer = await service.request('GET', path, { key: party.key });
    if (/^\/v1\/revocations(\?|$)/.test(path))
      answered.set(answer.status, (answered.get(answer.status) ?? 0) + 1);
    return answer;
  };
  const lag = async () =>
    (await service.scrape()).value('grantex_revocation_feed_lag_seconds', { transport: 'stream' }) ?? -1;
  expect(await lag()).toBeLessThan(5);
  const stream = await openStream(service, '/v1/revocations/stream', party);
  const asked = performance.now();
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
  const waitedMs = performance.now() - asked;
  const begun = performance.now();
  expect((await get(`/v1/revocations?since=${cursor}&wait=30`)).status).toBe(503);
  // Not after the wait that was asked for.
  expect(performance.now() - begun).toBeLessThan(15_000);
  const beats = stream.events.length;
  await stream.ended;
  expect(stream.response.complete).toBe(true);
  expect(stream.events.length - beats).toBeLessThanOrEqual(1);
  // The event stream, which is numbered in the same table, fails too.
  await waitFor(async () => {
    const lines = await service.logged('background.work_failed');
    return lines.some(({ work }) => work === 'revocation_feed') || undefined;
  });

  await held`rollback`;
  held.release();
  await waitFor(async () => ((await get('/v1/revocations')).status === 200 ? true : undefined));
  const entries = await pollFrom(service, party.key, cursor, 1);
  expect(entries.map(({ grantId }) => grantId)).toEqual([grant.grantId]);
  // Of each request the status that its caller has got, a long poll's too: in the family, the line and the span.
  const { body } = await get(`/v1/revocations?since=${cursor}&wait=1`);
  const metrics = await service.scrape();
  const counted = (status: number) =>
    metrics.value('grantex_http_request_duration_seconds_count', {
      method: 'GET',
      route: '/v1/revocations',
      status_code: String(status),
    });
  const failed = answered.get(503);
  expect(body.entries).toHaveLength(1);
  expect(counted(503)).toBe(failed);
  const lines = service.logs.filter(
    ({ msg, route }) => msg === 'request.failed' && route === '/v1/revocations',
  );
  expect(lines).toHaveLength(failed ?? 0);
  await service.stop();
  const spans = sentSpans(collector).filter(
    ({ name, attributes }) =>
      name === 'GET /v1/revocations' && attributes['http.response.status_code'] === 503,
  );
  expect(spans.map(({ status, attributes }) => [status.code, attributes['error.type']])).toEqual(
    Array(failed).fill([2, '503']),
  );
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(
    new Set(lines.map((line) => line['trace_id'])),
  );
  // It waited eight seconds, which are no part of its duration.
  for (const { startTimeUnixNano, endTimeUnixNano } of spans)
    expect(Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6).toBeLessThan(waitedMs - 5000);
  await collector.close();
});
