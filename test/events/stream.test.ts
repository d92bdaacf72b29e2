import { describe, expect, test } from 'vitest';
import { openStream } from '../revocations/follow.ts';
import { newParty } from '../support/flow.ts';
import { waitFor } from '../support/service.ts';
import { HOOK_ENV, hook } from '../webhooks/hooks.ts';
import { party, receiver, service, withReceiver } from '../webhooks/with-receiver.ts';
import { eventsOnce, openEvents } from './follow.ts';

withReceiver({ ...HOOK_ENV, MAX_STREAMS: '3' });

const get = (path: string, key = party.key) => service.request('GET', path, { key });
const revoke = async (grantId: string) => {
  const { status } = await service.request('DELETE', `/v1/grants/${grantId}`, { key: party.key });
  expect(status).toBe(204);
};
const refresh = async ({ refreshToken }: { refreshToken: string }) => {
  const body = { refreshToken, agentId: party.agentId };
  const answer = await service.request('POST', '/v1/token/refresh', { key: party.key, body });
  expect(answer.status).toBe(201);
};
const clients = async () =>
  (await service.scrape()).value('grantex_event_stream_clients', { transport: 'stream' });

describe('GET /v1/events/stream', () => {
  test('every event of a webhook, with the same id and the same bytes, each once', async () => {
    await hook(service, party, receiver.url);
    const stream = await openEvents(service, party);
    expect(stream.status).toBe(200);
    expect(stream.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const root = await party.grant();
    await party.delegate(root.grantToken);
    await refresh(root);
    await revoke(root.grantId);
    await eventsOnce(stream, 7);
    const bodies = (await receiver.until(7)).map(({ raw }) => raw.toString());
    expect(stream.events.map(({ data }) => data).sort()).toEqual(bodies.sort());
    expect(stream.events.map(({ id }) => id)).toEqual(stream.read().map(({ id }) => id));
    expect(stream.read().map(({ type }) => type)).toEqual([
      'grant.created',
      'token.issued',
      'grant.created',
      'token.issued',
      'token.issued',
      'grant.revoked',
      'grant.revoked',
    ]);
    expect(stream.events.map((event) => Object.keys(event))).toEqual(Array(7).fill(['id', 'data']));
    expect(stream.read()[0]?.data).toEqual({
      grantId: root.grantId,
      agentId: party.agentId,
      principalId: 'user_1',
      scopes: ['calendar:read'],
      expiresAt: root.grantExpiresAt,
      delegationDepth: 0,
    });
    stream.close();
  });

  test('a developer without a webhook has them too, and nobody has those of another one', async () => {
    const stranger = await newParty(service);
    const [mine, theirs] = [await openEvents(service, party), await openEvents(service, stranger)];
    const grant = await party.grant();
    const other = await stranger.grant();
    expect((await eventsOnce(mine, 2)).map(({ data }) => data['grantId'])).toEqual([
      grant.grantId,
      grant.grantId,
    ]);
    expect((await eventsOnce(theirs, 2)).map(({ data }) => data['grantId'])).toEqual([
      other.grantId,
      other.grantId,
    ]);
    mine.close();
    theirs.close();
  });

  test('an agent that is removed: an event for each of its grants', async () => {
    const agentId = await party.newAgent();
    const grant = await party.grant({ agentId });
    const stream = await openEvents(service, party);
    await service.request('DELETE', `/v1/agents/${agentId}`, { key: party.key });
    expect((await eventsOnce(stream, 1)).map(({ type, data }) => [type, data])).toEqual([
      ['grant.revoked', { grantId: grant.grantId, cascade: false }],
    ]);
    stream.close();
  });

  test('types: those and no others, also when the reader goes on', async () => {
    const stream = await openEvents(service, party, { types: 'grant.revoked,grant.created' });
    const grant = await party.grant();
    await revoke(grant.grantId);
    const [created, revoked] = await eventsOnce(stream, 2);
    expect([created?.type, revoked?.type]).toEqual(['grant.created', 'grant.revoked']);
    stream.close();
    await party.grant();
    const again = await openEvents(service, party, { types: 'token.issued', after: created?.id });
    expect((await eventsOnce(again, 2)).map(({ type }) => type)).toEqual(['token.issued', 'token.issued']);
    again.close();
    const empty = await openEvents(service, party, { types: '', after: created?.id });
    expect((await eventsOnce(empty, 4)).map(({ type }) => type)).toEqual([
      'token.issued',
      'grant.revoked',
      'grant.created',
      'token.issued',
    ]);
    empty.close();
  });

  test.each(['nothing', 'grant.created,nothing', 'GRANT.CREATED', 'grant.*', 'x'.repeat(201)])(
    '400: types=%s',
    async (types) => {
      const { status, body } = await get(`/v1/events/stream?types=${types}`);
      expect([status, body.code]).toEqual([400, 'BAD_REQUEST']);
    },
  );

  test('Last-Event-ID goes on after that event: nothing twice, nothing left out', async () => {
    const stream = await openEvents(service, party);
    await party.grant();
    const [first, second] = await eventsOnce(stream, 2);
    stream.close();
    await party.grant();
    const fromSecond = await openEvents(service, party, { after: second?.id });
    const later = await eventsOnce(fromSecond, 2);
    await party.grant();
    expect(await eventsOnce(fromSecond, 4)).toHaveLength(4);
    const fromFirst = await openEvents(service, party, { after: first?.id });
    expect(await eventsOnce(fromFirst, 5)).toEqual([second, ...fromSecond.read()]);
    expect(fromSecond.read().slice(0, 2)).toEqual(later);
    fromSecond.close();
    fromFirst.close();
  });

  test('410 for an event that is unknown, or that another developer had', async () => {
    const stranger = await newParty(service);
    const stream = await openEvents(service, stranger);
    await stranger.grant();
    const [foreign] = await eventsOnce(stream, 1);
    stream.close();
    for (const id of ['evt_01JZZZZZZZ0000000000000000', 'x', foreign?.id ?? '']) {
      const answer = await service.request('GET', '/v1/events/stream', {
        key: party.key,
        headers: { 'last-event-id': id },
      });
      expect([answer.status, answer.body.code]).toEqual([410, 'GONE']);
    }
  });

  test('429 beyond MAX_STREAMS, with streams of the revocation feed, and the gauge says how many', async () => {
    const feed = await openStream(service, '/v1/revocations/stream', party);
    const streams = [await openEvents(service, party), await openEvents(service, party)];
    await waitFor(async () => (await clients()) === 2 || undefined);
    const { status, body, headers } = await get('/v1/events/stream');
    expect([status, body.code, headers.get('retry-after')]).toEqual([429, 'RATE_LIMITED', '5']);
    feed.close();
    const again = await waitFor(async () => {
      const stream = await openEvents(service, party);
      return stream.status === 200 ? stream : undefined;
    });
    for (const stream of [...streams, again]) stream.close();
    await waitFor(async () => (await clients()) === 0 || undefined);
  });

  test('a rotated key and a suspended developer end streams', async () => {
    const stream = await openEvents(service, party);
    const { body } = await service.request('POST', '/v1/keys/rotate', { key: party.key });
    await stream.ended;
    expect(stream.response.complete).toBe(true);
    const fresh = await openEvents(service, { key: body.apiKey });
    expect(fresh.status).toBe(200);
    await service.database.sql`update developers set suspended_at = now() where id = ${party.developerId}`;
    await fresh.ended;
    expect((await get('/v1/events/stream', body.apiKey)).status).toBe(401);
  });

  test('between events there are comments, which no client takes for an event', async () => {
    const stream = await openEvents(service, party);
    let text = '';
    stream.response.on('data', (chunk: string) => {
      text += chunk;
    });
    await waitFor(() => text.length > 3 || undefined);
    expect(text).toMatch(/^(:\n)+$/);
    expect(stream.events).toEqual([]);
    stream.close();
  });

  test('HEAD has the headers and no stream; 401 without a key', async () => {
    const { status, headers } = await service.request('HEAD', '/v1/events/stream', { key: party.key });
    expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    expect((await service.request('GET', '/v1/events/stream')).status).toBe(401);
  });
});
