import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newParty, type Party } from '../support/flow.ts';
import { startService, type TestService } from '../support/service.ts';

let service: TestService;
let party: Party;
beforeAll(async () => {
  service = await startService();
  party = await newParty(service);
});
afterAll(() => service.stop());

const rows = async () => {
  const [counts] = await service.database.sql`select (select count(*) from developers) as developers,
    (select count(*) from agents) as agents, (select count(*) from authorization_requests) as requests,
    (select count(*) from audit_entries) as entries`;
  return counts;
};
const post = (path: string, body: unknown, headers = {}) =>
  service.request('POST', path, { key: party.key, body, headers });

const valid = () => ({ agentId: party.agentId, principalId: 'p', scopes: ['a'] });
const deep = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;

test.each<[string, string, () => unknown]>([
  ['malformed JSON', '/v1/agents', () => '{"name":'],
  ['an array', '/v1/agents', () => '[]'],
  ['a string', '/v1/agents', () => '"x"'],
  ['null', '/v1/agents', () => 'null'],
  ['a wrong type', '/v1/agents', () => ({ name: 7 })],
  ['a missing member', '/v1/agents', () => ({})],
  ['an over-long name', '/v1/agents', () => ({ name: 'x'.repeat(201) })],
  ['101 scopes', '/v1/agents', () => ({ name: 'x', scopes: Array(101).fill('s') })],
  ['a scope of 257 characters', '/v1/agents', () => ({ name: 'x', scopes: ['s'.repeat(257)] })],
  ['an empty scope', '/v1/agents', () => ({ name: 'x', scopes: [''] })],
  ['a null byte', '/v1/agents', () => ({ name: 'a\0b' })],
  ['a lone surrogate', '/v1/agents', () => '{"name":"\\ud800"}'],
  ['a null byte in a key', '/v1/agents', () => '{"name":"x","a\\u0000":1}'],
  ['a number out of range', '/v1/agents', () => '{"name":"x","n":1e999}'],
  ['33 levels of nesting', '/v1/agents', () => deep(33)],
  ['20,000 levels of nesting', '/v1/agents', () => deep(20_000)],
  ['a body over the limit', '/v1/agents', () => ({ name: 'x', filler: 'x'.repeat(70_000) })],
  ['half a PKCE pair', '/v1/authorize', () => ({ ...valid(), codeChallenge: 'a'.repeat(43) })],
  [
    'PKCE plain',
    '/v1/authorize',
    () => ({ ...valid(), codeChallenge: 'a'.repeat(43), codeChallengeMethod: 'plain' }),
  ],
  ['a script as redirectUri', '/v1/authorize', () => ({ ...valid(), redirectUri: 'javascript:alert(1)' })],
  ['data as redirectUri', '/v1/authorize', () => ({ ...valid(), redirectUri: 'data:text/html,x' })],
  ['an odd duration', '/v1/authorize', () => ({ ...valid(), expiresIn: '1 week' })],
  ['a duration of nothing', '/v1/authorize', () => ({ ...valid(), expiresIn: '0s' })],
  ['a duration of a million years', '/v1/authorize', () => ({ ...valid(), expiresIn: '365000000d' })],
  ['no scopes', '/v1/authorize', () => ({ ...valid(), scopes: [] })],
  ['a bad email', '/v1/signup', () => ({ name: 'x', email: 'nobody' })],
])('400 for %s, in the one envelope, and nothing is changed', async (_what, path, body) => {
  const before = await rows();
  const { status, body: answer, headers } = await post(path, body());
  expect(status).toBe(400);
  expect(answer).toEqual({
    message: expect.any(String),
    code: 'BAD_REQUEST',
    requestId: headers.get('x-request-id'),
  });
  expect(await rows()).toEqual(before);
});

test('unknown members and queries are ignored; __proto__ is a name like any other', async () => {
  const answer = await post('/v1/agents?x=1', '{"name":"x","__proto__":{"status":"suspended"},"purpose":1}');
  expect([answer.status, answer.body.status]).toEqual([201, 'active']);
});

test('paths: bad percent-encoding 400; NUL, malformed and unknown ids 404; unknown paths 404', async () => {
  const get = async (path: string) => {
    const { status, body } = await service.request('GET', path, { key: party.key });
    return [status, body.code];
  };
  expect(await get('/v1/grants/%zz')).toEqual([400, 'BAD_REQUEST']);
  for (const path of ['/v1/grants/%00', '/v1/agents/..%2f', '/v1/audit/x', '/nothing', '/v1/consent/%00'])
    expect(await get(path)).toEqual([404, 'NOT_FOUND']);
  const scrape = await service.scrape();
  expect(
    scrape.value('grantex_http_request_duration_seconds_count', {
      method: 'GET',
      route: 'unmatched',
      status_code: '404',
    }),
  ).toBeGreaterThanOrEqual(1);
});

test('a wrong key is told before a wrong body, on every kind of route, and is no attempt', async () => {
  const before = (await service.scrape()).value('grantex_authorize_total', { status: 'error' });
  for (const path of ['/v1/authorize', '/v1/token', '/v1/token/refresh', '/v1/tokens/verify', '/v1/agents'])
    for (const key of ['gx_live_wrong_key_0000', undefined]) {
      const { status, body, headers } = await service.request('POST', path, { key, body: '{' });
      expect([path, status, body.code]).toEqual([path, 401, 'UNAUTHORIZED']);
      expect(headers.get('www-authenticate')).toBe('Bearer');
    }
  expect((await service.scrape()).value('grantex_authorize_total', { status: 'error' })).toBe(before);
  expect((await post('/v1/authorize', '{')).status).toBe(400);
  expect((await service.scrape()).value('grantex_authorize_total', { status: 'error' })).toBe(
    (before ?? 0) + 1,
  );
});

test('503 for a read that the database keeps waiting: one line with what went wrong, and no word of it outside', async () => {
  const { status, body, headers } = await service.database.sql.begin(async (tx) => {
    await tx`lock table agents in access exclusive mode`;
    return service.request('GET', '/v1/agents', { key: party.key });
  });
  expect([status, body]).toEqual([
    503,
    { message: expect.any(String), code: 'SERVICE_UNAVAILABLE', requestId: headers.get('x-request-id') },
  ]);
  const lines = (await service.logged('request.failed')).filter(
    ({ requestId }) => requestId === headers.get('x-request-id'),
  );
  expect(lines).toEqual([
    expect.objectContaining({
      level: 'error',
      method: 'GET',
      route: '/v1/agents',
      error: expect.objectContaining({ name: 'PostgresError', code: '55P03' }),
    }),
  ]);
  expect(body.message).not.toContain('lock');
});

test('a request without a body counts as {}, with or without a content type', async () => {
  const one = await newParty(service);
  const rotated = await service.request('POST', '/v1/keys/rotate', {
    key: one.key,
    headers: { 'content-type': 'application/json' },
  });
  expect(rotated.status).toBe(200);
  expect((await service.request('POST', '/v1/keys/rotate', { key: rotated.body.apiKey })).status).toBe(200);
});

test('the request id: kept when printable, made otherwise; headers of every answer', async () => {
  const ask = (id: string) => service.request('GET', '/health', { headers: { 'x-request-id': id } });
  expect((await ask('abc 123')).headers.get('x-request-id')).toBe('abc 123');
  const { headers } = await ask('x'.repeat(129));
  expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  expect(headers.get('x-powered-by')).toBeNull();
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('x-ratelimit-limit')).toBeNull();
});

test('what is not HTTP, or has headers without end, gets 400 in the envelope', async () => {
  const raw = (text: string) =>
    new Promise<string>((resolve, reject) => {
      let answer = '';
      const socket = connect(Number(new URL(service.url).port), '127.0.0.1', () => socket.write(text));
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      socket.on('close', () => resolve(answer));
      socket.on('error', reject);
    });
  for (const text of [
    'garbage\r\n\r\n',
    `GET /health HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
  ]) {
    const answer = await raw(text);
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ code: 'BAD_REQUEST' });
  }
});

test('/openapi.json may be kept, and is not sent again to a caller that has it', async () => {
  const first = await service.request('GET', '/openapi.json');
  const etag = first.headers.get('etag') ?? '';
  expect(etag).toMatch(/^"[\w-]{43}"$/);
  expect(first.headers.get('cache-control')).toBe('public, max-age=60');
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await service.request('GET', '/openapi.json', { headers: { 'if-none-match': known } });
    expect([again.status, again.headers.get('etag'), again.body]).toEqual([304, etag, '']);
  }
  const other = await service.request('GET', '/openapi.json', { headers: { 'if-none-match': '"other"' } });
  expect([other.status, other.body]).toEqual([200, first.body]);
});

test('/openapi.json is OpenAPI 3.1 with every route', async () => {
  const { body } = await service.request('GET', '/openapi.json');
  expect(body.openapi).toBe('3.1.0');
  expect(body.paths['/v1/token'].post.requestBody.content['application/json'].schema.required).toEqual([
    'code',
    'agentId',
  ]);
  expect(Object.keys(body.paths).length).toBeGreaterThanOrEqual(25);
});
