import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Sink, startSink } from '../instrumentation/child.ts';
import { startService, type TestService } from '../support/service.ts';
import { HOOK_ENV } from '../webhooks/hooks.ts';
import { type Receiver, startReceiver } from '../webhooks/receiver.ts';
import { type Canaries, dump, placesIn, secretsIn, sendCanaries } from './canaries.ts';

/** Who acts for whom, with which scopes; where webhooks go, without the query; the id that the caller gave its request. */
const LOGGED = [
  'POST /v1/principal-sessions body.principalId',
  'POST /v1/webhooks body.url',
  'flow: principalId',
  'flow: scopes',
  'header x-request-id',
];
/** Names and descriptions, scopes, principals, audiences, where answers and webhooks go, and what is told to the audit log. */
const STORED = [
  ...['description', 'name', 'scopes'].map((member) => `PATCH /v1/agents/{id} body.${member}`),
  'PATCH /v1/anomalies/{id}/acknowledge body.notes',
  ...['name', 'principalId', 'scopes'].map((member) => `PATCH /v1/policies/{id} body.${member}`),
  ...['description', 'name', 'scopes'].map((member) => `POST /v1/agents body.${member}`),
  ...['description', 'name', 'scopes'].map((member) => `POST /v1/agents/{id} body.${member}`),
  ...['action', 'agentDid', 'agentId', 'grantId', 'metadata', 'principalId'].map(
    (member) => `POST /v1/audit/log body.${member}`,
  ),
  ...['audience', 'principalId', 'redirectUri', 'scopes', 'state'].map(
    (member) => `POST /v1/authorize body.${member}`,
  ),
  'POST /v1/keys body.name',
  ...['name', 'principalId', 'scopes'].map((member) => `POST /v1/policies body.${member}`),
  'POST /v1/signup body.name',
  'POST /v1/webhooks body.url',
  ...[
    'action',
    'audience',
    'principalId',
    'query of redirectUri',
    'query of the webhook',
    'scopes',
    'state',
  ].map((what) => `flow: ${what}`),
];

let sink: Sink;
let service: TestService;
let receiver: Receiver;
let canaries: Canaries;
/** Where secrets could be, by name. */
let texts: Record<string, string>;
let tables: { table: string; text: string }[];
beforeAll(async () => {
  sink = await startSink();
  receiver = await startReceiver();
  service = await startService({
    env: {
      ...HOOK_ENV,
      LOG_LEVEL: 'trace',
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_METRICS_EXPORTER: 'otlp',
    },
  });
  canaries = await sendCanaries(service, receiver.url);
  await receiver.until(3, ({ body }) => body.type === 'grant.revoked');
  const metrics = await (
    await fetch(`${service.url}/metrics`, { headers: { accept: 'application/openmetrics-text' } })
  ).text();
  tables = await dump(service.database.sql);
  await service.stop();
  const sent = (path: string) =>
    sink.received
      .filter((one) => one.path === path)
      .map(({ body }) => body.toString())
      .join('\n');
  texts = {
    'standard output': service.stdout.join('\n'),
    spans: sent('/v1/traces'),
    logs: sent('/v1/logs'),
    'metrics by OTLP': sent('/v1/metrics'),
    '/metrics': metrics,
    webhooks: receiver.received.map(({ raw }) => raw.toString()).join('\n'),
  };
});
afterAll(async () => {
  await receiver?.close();
  await sink?.close();
});

test('no secret is in a log line, a span, a metric, the body of a webhook, or the database', () => {
  expect(canaries.secrets.size).toBeGreaterThan(100);
  const found = Object.entries(texts).map(([name, text]) => [name, secretsIn(canaries, text)]);
  expect(found).toEqual(Object.keys(texts).map((name) => [name, []]));
  expect(tables.filter(({ text }) => secretsIn(canaries, text).length > 0)).toEqual([]);
});

test('of what callers wrote, telemetry and webhooks have what is listed here and nothing else', () => {
  expect(
    Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, placesIn(canaries, text)])),
  ).toEqual({
    'standard output': LOGGED,
    logs: LOGGED,
    // The user agent is the standard attribute of a server span; scopes are an attribute of the span of their request.
    spans: ['POST /v1/authorize body.scopes', 'flow: scopes', 'header user-agent'],
    '/metrics': [],
    'metrics by OTLP': [],
    webhooks: ['flow: principalId', 'flow: scopes'],
  });
});

test('nor has the database: what is stored is what callers gave to be stored', () => {
  expect(placesIn(canaries, tables.map(({ text }) => text).join('\n'))).toEqual(STORED);
});
