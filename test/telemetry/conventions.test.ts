import * as stable from '@opentelemetry/semantic-conventions';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OWN_ATTRIBUTES, type OwnAttribute } from '../../instrumentation/attributes.ts';
import { exposedLabels } from '../../src/telemetry/families/family.ts';
import { FAMILIES } from '../../src/telemetry/families.ts';
import { attributesByName, type Sink, startSink } from '../instrumentation/child.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { HOOK_ENV, hook } from '../webhooks/hooks.ts';
import { answer, type Receiver, startReceiver } from '../webhooks/receiver.ts';

const STABLE = new Set(
  Object.entries(stable).flatMap(([key, value]) =>
    key.startsWith('ATTR_') && typeof value === 'string' ? [value] : [],
  ),
);
/** What every line on standard output begins with, and the name that OpenTelemetry has for them outside the attributes. */
const RECORD = ['level', 'timestamp', 'msg', 'trace_id', 'span_id', 'trace_flags'];
/** Fields of lines to which this flow need not come: of the embedded database, a bad configuration, OpenTelemetry's own, failed work on webhooks and in the background, Redis. */
const ELSEWHERE = [
  'line',
  'faults',
  'message',
  'suppressed',
  'lost',
  'step',
  'seconds',
  'countedInMemory',
  'work',
];

const named = (on: OwnAttribute['on']) =>
  new Map(OWN_ATTRIBUTES.filter((one) => one.on === on).map((one) => [one.name, one.type]));

/** name → the OTLP kinds of value that were sent under it. */
type Sent = ReadonlyMap<string, ReadonlySet<string>>;
let spans: Sent;
let metrics: Sent;
let logs: Sent;
let resources: Sent;
let lines: TestService['logs'];

let sink: Sink;
let service: TestService;
let receiver: Receiver;
beforeAll(async () => {
  sink = await startSink();
  receiver = await startReceiver(answer(500));
  service = await startService({
    env: {
      ...HOOK_ENV,
      WEBHOOK_MAX_ATTEMPTS: '1',
      LOG_LEVEL: 'trace',
      METRICS_AGENT_NAMES: 'true',
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_CAPTURE_PRINCIPAL: 'true',
      RATE_LIMIT_ENABLED: 'true',
      RATE_LIMITS: 'signup=1/3600',
    },
  });
  await liveThroughEverything();
  lines = service.logs;
  await service.stop();
  await receiver.close();
  spans = attributesByName(sink, '/v1/traces');
  metrics = attributesByName(sink, '/v1/metrics');
  logs = attributesByName(sink, '/v1/logs');
  resources = attributesByName(sink, 'resource');
});
afterAll(() => sink.close());

/** Every act of the protocol, refusals, and failures of the database. */
async function liveThroughEverything(): Promise<void> {
  const { database, request } = service;
  const party = await newParty(service);
  const { key, agentId } = party;
  expect((await request('POST', '/v1/signup', { body: { name: 'One too many' } })).status).toBe(429);
  await hook(service, party, receiver.url, ['grant.created']);
  const pair = await party.grant();
  expect(await party.verify(pair.grantToken)).toBe(true);
  const body = { refreshToken: pair.refreshToken, agentId };
  expect((await request('POST', '/v1/token/refresh', { key, body })).status).toBe(201);
  await party.delegate(pair.grantToken);
  await request('POST', '/v1/anomalies/detect', { key });
  expect((await request('DELETE', `/v1/grants/${pair.grantId}`, { key })).status).toBe(204);
  expect(await party.verify(pair.grantToken)).toBe(false);
  await request('POST', '/v1/policies', { key, body: { name: 'Nothing', effect: 'deny' } });
  const asking = { agentId, principalId: 'user_1', scopes: ['a:b'] };
  expect((await request('POST', '/v1/authorize', { key, body: asking })).status).toBe(403);
  const session = { key, body: { principalId: 'user_1' } };
  expect((await request('POST', '/v1/principal-sessions', session)).status).toBe(201);
  expect((await request('GET', '/v1/me', { key: 'gx_live_nobody_has_this_key' })).status).toBe(401);
  await service.logged('webhook.delivery_failed');
  await service.logged('anomaly.detected');
  await service.scrape();

  const tables = ['policies', 'anomalies', 'webhook_deliveries'];
  const rename = async (suffixes: readonly [string, string]) => {
    for (const table of tables)
      await database.sql.unsafe(`alter table ${table}${suffixes[0]} rename to ${table}${suffixes[1]}`);
  };
  await rename(['', '_away']);
  expect((await request('GET', '/v1/policies', { key })).status).toBe(500);
  await waitFor(async () => {
    await service.scrape();
    return service.logs.find(({ msg }) => msg === 'metrics.collection_failed');
  });
  await rename(['_away', '']);
  await database.sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and application_name = 'grantex-auth' and backend_start < now() - interval '1 ms'`;
  await service.logged('database.connection_error');
}

const unknown = (sent: Sent, own: ReadonlyMap<string, unknown>) =>
  [...sent.keys()].filter((name) => !STABLE.has(name) && !own.has(name));
const unsent = (sent: Sent, on: OwnAttribute['on']) =>
  [...named(on).keys()].filter((name) => !sent.has(name));

test('spans: every name is in the stable conventions or in our schema, and all of our schema is sent', () => {
  expect(unknown(spans, named('span'))).toEqual([]);
  expect(unsent(spans, 'span')).toEqual([]);
});

test('metrics: the same of their labels, by OTLP and in the catalogue of /metrics', () => {
  expect(unknown(metrics, named('metric'))).toEqual([]);
  expect(unsent(metrics, 'metric')).toEqual([]);
  const labels = new Set(FAMILIES.flatMap((family) => exposedLabels(family).map(({ name }) => name)));
  expect([...labels].filter((name) => !STABLE.has(name) && !named('metric').has(name))).toEqual([]);
});

test('logs: the same of their fields, by OTLP and on standard output', () => {
  expect(unknown(logs, named('log'))).toEqual([]);
  const fields = new Set(lines.flatMap((line) => Object.keys(line)));
  expect([...fields].filter((name) => !RECORD.includes(name) && !named('log').has(name))).toEqual([]);
  expect([...named('log').keys()].filter((name) => !fields.has(name) && !ELSEWHERE.includes(name))).toEqual(
    [],
  );
});

test('resource: nothing but stable names', () => {
  expect(unknown(resources, new Map())).toEqual([]);
  expect([...resources.keys()]).toEqual(
    expect.arrayContaining(['service.name', 'service.version', 'service.instance.id']),
  );
});

test('each value is of the type that the schema gives it', () => {
  const KINDS: Record<OwnAttribute['type'], readonly string[]> = {
    string: ['stringValue'],
    'string[]': ['arrayValue'],
    number: ['intValue', 'doubleValue'],
    'string or map': ['stringValue', 'kvlistValue'],
  };
  for (const [on, sent] of [
    ['span', spans],
    ['metric', metrics],
    ['log', logs],
  ] as const)
    for (const [name, type] of named(on))
      for (const kind of sent.get(name) ?? [])
        expect([on, name, KINDS[type]]).toEqual([on, name, expect.arrayContaining([kind])]);
});
