import { afterAll, beforeAll, expect, test } from 'vitest';
import { loopback } from '../../deploy/programs/stack/addresses.ts';
import { waitFor } from '../support/service.ts';
import { type Pipeline, startPipeline } from './pipeline/pipeline.ts';

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline('otel-collector', 'jaeger');
});
afterAll(() => pipeline?.stop());

const JWT = `eyJ${'hbGciOiJSUzI1NiJ9'}.eyJ${'pc3MiOiJodHRwIn0'}.c2lnbmF0dXJl`;
const SECRETS = {
  authorization: 'Bearer something',
  'http.request.header.cookie': 'session=1',
  password: 'swordfish',
  'client.secret': 'swordfish',
  api_key: 'swordfish',
  code: 'swordfish',
  codeVerifier: 'swordfish',
  refreshToken: 'swordfish',
};
const WITHIN = {
  note: 'the key is gx_live_0123456789abcdef0123 as you know',
  refreshed: 'with ref_0123456789abcdef0123',
  signed: 'by whsec_0123456789abcdef/+0123==',
  got: `got ${JWT}`,
  url: 'postgres://grantex:swordfish@db.example.com/grantex',
  slashes: 'postgres://grantex:sword/fish/9@db.example.com/grantex',
  digits: 'postgres://grantex:12345@db.example.com/grantex',
  nobody: 'redis://:sword/fish@cache.example.com:6379/0',
};
/** The data that the service sends must arrive unchanged. */
const HARMLESS = {
  requestId: '0b9cf0de-5f3b-4b4e-8f43-5f0d0e9c9e4f',
  grantId: 'grnt_01M89J25PY9HTDFSFRG1ZV6PWR',
  agentId: 'ag_01M89J256950RZ4Z5D9YKNYDY4',
  tokenId: 'tok_01M89J25PYJCT1T2Q4DSW01Z7W',
  principalId: 'user_42',
  revokedBy: 'refresh_reuse',
  endpoint: 'token',
  'db.query.text': 'select grants.id from tokens where refresh_token_hash = $1 and api_key_hash = $2',
  'http.route': '/v1/token/refresh',
  'error.code': 'BAD_REQUEST',
  'url.full': 'https://auth.example.com:3001/permissions/user@example.com?mail=user@example.com',
  'url.ipv6': 'http://[::1]:3001/user@example.com',
};

const attributes = (values: Record<string, string>) =>
  Object.entries(values).map(([key, value]) => ({ key, value: { stringValue: value } }));

const list = (...values: string[]) => ({
  arrayValue: { values: values.map((stringValue) => ({ stringValue })) },
});

async function send(signal: 'logs' | 'traces', body: unknown): Promise<void> {
  const answer = await fetch(`http://${loopback(pipeline.ports.collectorHttp)}/v1/${signal}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
}

function expectMasked(seen: Readonly<Record<string, unknown>>): void {
  expect(seen).toMatchObject(HARMLESS);
  expect(Object.keys(SECRETS).map((key) => seen[key])).toEqual(Object.keys(SECRETS).map(() => '****'));
  expect(Object.keys(WITHIN).map((key) => seen[key])).toEqual([
    'the key is **** as you know',
    'with ****',
    'by ****',
    'got ****',
    'postgres****db.example.com/grantex',
    'postgres****db.example.com/grantex',
    'postgres****db.example.com/grantex',
    'redis****cache.example.com:6379/0',
  ]);
}

test('a secret that slipped into a log line leaves the collector masked; everything else as it came', async () => {
  await send('logs', {
    resourceLogs: [
      {
        scopeLogs: [
          {
            logRecords: [
              {
                body: { stringValue: `token.exchanged ${JWT}` },
                attributes: [
                  ...attributes({ ...SECRETS, ...WITHIN, ...HARMLESS }),
                  { key: 'keys', value: list('a:b', 'gx_live_0123456789abcdef0123') },
                  { key: 'scopes', value: list('a:b', 'c:d') },
                  { key: 'latencyMs', value: { intValue: '12' } },
                ],
              },
            ],
          },
        ],
      },
    ],
  });
  const record = await waitFor(() => pipeline.logs.records[0]);
  expect(record.event).toBe('token.exchanged ****');
  expectMasked(record.attributes);
  expect(record.attributes).toMatchObject({ keys: '["a:b","****"]', scopes: ['a:b', 'c:d'], latencyMs: 12 });
});

test('the same on a span', async () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const now = Date.now();
  await send('traces', {
    resourceSpans: [
      {
        resource: { attributes: attributes({ 'service.name': 'other' }) },
        scopeSpans: [
          {
            spans: [
              {
                traceId,
                spanId: 'b7ad6b7169203331',
                name: 'work',
                kind: 1,
                startTimeUnixNano: `${now}000000`,
                endTimeUnixNano: `${now + 1}000000`,
                attributes: attributes({ ...SECRETS, ...WITHIN, ...HARMLESS }),
              },
            ],
          },
        ],
      },
    ],
  });
  const [span] = await pipeline.jaeger.traceOnce(traceId);
  expectMasked(span?.attributes ?? {});
});
