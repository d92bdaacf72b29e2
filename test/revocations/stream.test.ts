import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { entriesOf, openStream, pollFrom, type ReadEntry } from './follow.ts';

let service: TestService;
beforeAll(async () => {
  service = await startService({ env: { MAX_STREAMS: '3' } });
});
afterAll(() => service.stop());

const get = (path: string, key: string) => service.request('GET', path, { key });
const revoke = async (party: Party, grantId: string) => {
  const { status } = await service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
  expect(status).toBe(204);
};
const cursorOf = async (party: Party): Promise<number> =>
  (await get('/v1/revocations', party.key)).body.cursor;
const acts = (entries: readonly ReadEntry[]) => entries.map(({ action, grantId }) => [action, grantId]);

describe('GET /v1/revocations/stream', () => {
  test('ready, then what came since, then what comes, and heartbeats', async () => {
    const party = await newParty(service);
    const since = await cursorOf(party);
    const [before, after] = [await party.grant(), await party.grant()];
    await revoke(party, before.grantId);
    await pollFrom(service, party.key, since, 1);
    const stream = await openStream(service, `/v1/revocations/stream?since=${since}`, party);
    expect(stream.status).toBe(200);
    expect(stream.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    await entriesOf(stream, 1);
    await revoke(party, after.grantId);
    const entries = await entriesOf(stream, 2);
    expect(acts(entries)).toEqual([
      ['revoked', before.grantId],
      ['revoked', after.grantId],
    ]);
    expect(stream.events[0]).toEqual({ event: 'ready', data: `{"cursor":${since}}` });
    expect(stream.events.find(({ event }) => event === 'revocation')?.id).toBe(String(entries[0]?.seq));
    const beat = await waitFor(() => {
      const last = stream.events.at(-1);
      return last?.event === 'heartbeat' && JSON.parse(last.data).cursor >= (entries[1]?.seq ?? 0)
        ? last
        : undefined;
    });
    expect(beat.data).toMatch(/^\{"cursor":\d+\}$/);
    stream.close();
  });

  test('without a cursor it begins now, and Last-Event-ID is a cursor', async () => {
    const party = await newParty(service);
    const grants = [await party.grant(), await party.grant()];
    const since = await cursorOf(party);
    for (const { grantId } of grants) await revoke(party, grantId);
    const [first, second] = await pollFrom(service, party.key, since, 2);
    const now = await openStream(service, '/v1/revocations/stream', party);
    const resumed = await openStream(service, `/v1/revocations/stream?since=${since}`, {
      key: party.key,
      headers: { 'last-event-id': String(first?.seq) },
    });
    expect(await entriesOf(resumed, 1)).toEqual([second]);
    await waitFor(() => now.events.some(({ event }) => event === 'heartbeat') || undefined);
    expect(now.entries()).toEqual([]);
    now.close();
    resumed.close();
  });

  test('429 beyond MAX_STREAMS, waiting polls included, until one ends', async () => {
    const party = await newParty(service);
    const since = await cursorOf(party);
    const streams = [];
    for (const _ of [1, 2]) streams.push(await openStream(service, '/v1/revocations/stream', party));
    const grant = await party.grant();
    const waiting = get(`/v1/revocations?since=${since}&wait=30`, party.key);
    const clients = async (transport: string) =>
      (await service.scrape()).value('grantex_revocation_feed_clients', { transport });
    await waitFor(async () => (await clients('poll')) === 1 || undefined);
    expect(await clients('stream')).toBe(2);
    const refused = await get('/v1/revocations/stream', party.key);
    expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([
      429,
      'RATE_LIMITED',
      '5',
    ]);
    expect(refused.body.message).toBe('Rate limit exceeded, retry in 5 seconds');
    expect((await get(`/v1/revocations?since=${since}&wait=1`, party.key)).status).toBe(429);
    expect((await get(`/v1/revocations?since=${since}`, party.key)).status).toBe(200);
    const stranger = await newParty(service);
    (await openStream(service, '/v1/revocations/stream', stranger)).close();
    await revoke(party, grant.grantId);
    expect((await waiting).status).toBe(200);
    const again = await openStream(service, '/v1/revocations/stream', party);
    expect(again.status).toBe(200);
    for (const stream of [...streams, again]) stream.close();
    await waitFor(async () => (await clients('stream')) === 0 || undefined);
  });

  test('a rotated key ends its streams', async () => {
    const party = await newParty(service);
    const stream = await openStream(service, '/v1/revocations/stream', party);
    const { body } = await service.request('POST', '/v1/keys/rotate', { key: party.key });
    await stream.ended;
    const fresh = await openStream(service, '/v1/revocations/stream', { key: body.apiKey });
    expect(fresh.status).toBe(200);
    fresh.close();
  });

  test('HEAD has the headers and no stream', async () => {
    const party = await newParty(service);
    const { status, headers } = await service.request('HEAD', '/v1/revocations/stream', { key: party.key });
    expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
  });
});

test('the measurement of a request ends when its stream begins', async () => {
  const party = await newParty(service);
  const stream = await openStream(service, '/v1/revocations/stream', party);
  const labels = { route: '/v1/revocations/stream', method: 'GET', status_code: '200' };
  await waitFor(async () => {
    const scrape = await service.scrape();
    const requests = scrape.value('grantex_http_request_duration_seconds_count', labels) ?? 0;
    return requests > 0 || undefined;
  });
  expect([stream.status, stream.response.complete]).toEqual([200, false]);
  stream.close();
});
