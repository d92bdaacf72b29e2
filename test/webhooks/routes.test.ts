import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';
import { ALL_EVENTS, hook, listDeliveries } from './hooks.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  // Nobody listens at these addresses, and nothing is sent: the first retry is a day away.
  service = await startService({ env: { WEBHOOK_BACKOFF_SECONDS: '86400' } });
  party = await newParty(service);
});
afterAll(() => service.stop());

const URL_OF = 'https://hooks.example.com/in?x=1';
const request = (method: string, path: string, body?: unknown, key = party.key) =>
  service.request(method, path, { key, body });
const register = (body: unknown) => request('POST', '/v1/webhooks', body);

describe('POST /v1/webhooks', () => {
  test('201: what was asked for, an id, and a secret of 32 bytes', async () => {
    const { status, body } = await register({ url: URL_OF, events: ['token.issued'], purpose: 'ignored' });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^wh_[0-9A-HJKMNP-TV-Z]{26}$/),
      url: URL_OF,
      events: ['token.issued'],
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
  });

  test('the secret is in no row and in no line, and no two are alike', async () => {
    const secrets = [];
    for (const _ of [1, 2, 3])
      secrets.push((await register({ url: URL_OF, events: ALL_EVENTS })).body.secret);
    expect(new Set(secrets).size).toBe(3);
    const rows = await service.database.sql`select w::text as text, sealed_secret as sealed from webhooks w`;
    for (const secret of secrets) {
      const bytes = Buffer.from(secret.slice(6), 'base64');
      expect(rows.some(({ text }) => text.includes(secret) || text.includes(bytes.toString('hex')))).toBe(
        false,
      );
      expect(rows.some(({ sealed }) => sealed.includes(bytes) || sealed.includes(secret))).toBe(false);
      expect(service.stdout.join('\n')).not.toContain(secret);
    }
  });

  test('an event that is named twice counts once', async () => {
    const { body } = await register({
      url: URL_OF,
      events: ['token.issued', 'grant.revoked', 'token.issued'],
    });
    expect(body.events).toEqual(['token.issued', 'grant.revoked']);
  });

  test('a name that does not resolve is accepted: nothing is looked up', async () => {
    expect((await register({ url: 'https://nowhere.invalid/hook', events: ALL_EVENTS })).status).toBe(201);
  });

  test.each([
    ['no url', { events: ALL_EVENTS }],
    ['no events', { url: URL_OF }],
    ['an empty list of events', { url: URL_OF, events: [] }],
    ['an unknown event', { url: URL_OF, events: ['grant.created', 'grant.eaten'] }],
    ['events that are no list', { url: URL_OF, events: 'grant.created' }],
    ['a url that is none', { url: 'hooks.example.com', events: ALL_EVENTS }],
    ['http', { url: 'http://hooks.example.com/', events: ALL_EVENTS }],
    ['a private address', { url: 'https://10.0.0.1/', events: ALL_EVENTS }],
    ['a url of 2049 characters', { url: URL_OF.padEnd(2049, 'x'), events: ALL_EVENTS }],
  ])('400: %s', async (_what, body) => {
    const answer = await register(body);
    expect([answer.status, answer.body.code]).toEqual([400, 'BAD_REQUEST']);
  });

  test('401 without a key', async () => {
    const { status } = await service.request('POST', '/v1/webhooks', {
      body: { url: URL_OF, events: ALL_EVENTS },
    });
    expect(status).toBe(401);
  });

  test('twenty and no more', async () => {
    const many = await newParty(service);
    const answers = [];
    for (let n = 0; n < 21; n++)
      answers.push(
        (await request('POST', '/v1/webhooks', { url: URL_OF, events: ALL_EVENTS }, many.key)).status,
      );
    expect(answers.slice(0, 20)).toEqual(Array(20).fill(201));
    expect(answers[20]).toBe(400);
  });
});

describe('GET /v1/webhooks', () => {
  test('all of them, newest first, without secrets', async () => {
    const own = await newParty(service);
    expect((await request('GET', '/v1/webhooks', undefined, own.key)).body).toEqual({ webhooks: [] });
    const first = await hook(service, own, URL_OF);
    const second = await hook(service, own, URL_OF, ['grant.revoked']);
    const { status, body } = await request('GET', '/v1/webhooks', undefined, own.key);
    const without = ({ secret: _, ...webhook }: typeof first) => webhook;
    expect(status).toBe(200);
    expect(body).toEqual({ webhooks: [without(second), without(first)] });
  });
});

describe('GET /v1/webhooks/:id', () => {
  test('that one, without its secret; 404 for one of another developer', async () => {
    const own = await newParty(service);
    const { secret: _, ...webhook } = await hook(service, own, URL_OF, ['grant.revoked']);
    const { status, body } = await request('GET', `/v1/webhooks/${webhook.id}`, undefined, own.key);
    expect([status, body]).toEqual([200, webhook]);
    const foreign = await request('GET', `/v1/webhooks/${webhook.id}`);
    expect([foreign.status, foreign.body.code]).toEqual([404, 'NOT_FOUND']);
  });
});

describe('DELETE /v1/webhooks/:id', () => {
  test('204 once, then 404; its deliveries go with it and are remembered as numbers', async () => {
    const own = await newParty(service);
    const webhook = await hook(service, own, 'https://nowhere.invalid/');
    await own.grant();
    expect((await listDeliveries(service, own, webhook)).body.total).toBe(2);
    const removed = async () => {
      const [row] = await service.database
        .sql`select coalesce(sum(total), 0)::int as total from removed_deliveries`;
      return Number(row?.['total']);
    };
    const before = await removed();
    const path = `/v1/webhooks/${webhook.id}`;
    expect((await request('DELETE', path, undefined, own.key)).status).toBe(204);
    const again = await request('DELETE', path, undefined, own.key);
    expect([again.status, again.body.code]).toEqual([404, 'NOT_FOUND']);
    expect((await listDeliveries(service, own, webhook)).status).toBe(404);
    expect((await removed()) - before).toBe(2);
    const [left] = await service.database.sql`
      select count(*)::int as left from webhook_deliveries where webhook_id = ${webhook.id}`;
    expect(left).toEqual({ left: 0 });
  });

  test('404: unknown, and a malformed id', async () => {
    for (const id of ['wh_unknown', 'x', '%F0%9F%98%80'])
      expect((await request('DELETE', `/v1/webhooks/${id}`)).status).toBe(404);
  });
});

describe('GET /v1/webhooks/:id/deliveries', () => {
  test('newest first, in pages, by status', async () => {
    const own = await newParty(service);
    const webhook = await hook(service, own, 'https://nowhere.invalid/', ['grant.created']);
    const grants = [];
    for (const _ of [1, 2, 3]) grants.push((await own.grant()).grantId);
    const page = async (query: string) =>
      (await service.request('GET', `/v1/webhooks/${webhook.id}/deliveries?${query}`, { key: own.key })).body;
    const all = await page('');
    expect(all).toMatchObject({ total: 3, page: 1, pageSize: 20 });
    const ids = all.deliveries.map(({ id }: { id: string }) => id);
    const rows = await service.database.sql`
      select id, data->>'grantId' as grant from webhook_deliveries where webhook_id = ${webhook.id}`;
    const grantOf = new Map(rows.map((row) => [row['id'], row['grant']]));
    expect(ids.map((id: string) => grantOf.get(id))).toEqual(grants.reverse());
    const second = await page('page=2&pageSize=2');
    expect(second).toMatchObject({ total: 3, page: 2, pageSize: 2 });
    expect(second.deliveries.map(({ id }: { id: string }) => id)).toEqual(ids.slice(2));
    expect(await page('status=delivered')).toMatchObject({ deliveries: [], total: 0 });
    expect((await page('status=pending')).total).toBe(3);
  });

  test('400: an unknown status; 404: an unknown webhook', async () => {
    const webhook = await hook(service, party, URL_OF);
    expect((await listDeliveries(service, party, webhook, '&status=eaten')).status).toBe(400);
    expect((await listDeliveries(service, party, { id: 'wh_unknown' })).status).toBe(404);
  });
});
