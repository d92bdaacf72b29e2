import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Sink, sentSpans } from '../instrumentation/child.ts';
import { newParty } from '../support/flow.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';
import { startTracedService, type TracedService } from '../telemetry/traced-service.ts';
import { detected, list, listed, typesOf } from './anomalies-of.ts';

/** No scan of all agents comes in between. */
const RARELY = { ANOMALY_SCAN_SECONDS: '86400' };
/** The hour of the run adds no anomaly: nothing here issues so many tokens. */
const AT_ANY_HOUR = { ANOMALY_OFF_HOURS_OVER: '1000000' };

let traced: TracedService;
let sink: Sink;
let service: TestService;
beforeAll(async () => {
  traced = await startTracedService({ ...RARELY, ...AT_ANY_HOUR });
  ({ service, sink } = traced);
});
afterAll(() => traced?.stop());

test('after issuance, unasked: an anomaly, one more on the counters, a line, and a trace of its own', async () => {
  const party = await newParty(service);
  const before = (await detected(service, 'new_principal', 'low')) ?? 0;
  await party.grant({ principalId: 'user_new' });
  const [anomaly] = await listed(service, party, 'new_principal');
  expect(anomaly).toEqual({
    id: expect.stringMatching(/^anm_[0-9A-Z]{26}$/),
    type: 'new_principal',
    severity: 'low',
    agentId: party.agentId,
    principalId: 'user_new',
    description: 'The agent has its first grant for this principal',
    metadata: { grantId: expect.stringMatching(/^grnt_/) },
    detectedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    acknowledgedAt: null,
  });
  const scrape = await waitFor(async () => {
    const now = await service.scrape();
    const type = { type: 'new_principal', severity: 'low' };
    return now.value('grantex_anomalies_detected_total', type) === before + 1 ? now : undefined;
  });
  const twin = { type: 'new_principal', severity: 'low', agent_id: party.agentId };
  expect(scrape.value('grantex_agent_anomalies_detected_total', twin)).toBe(1);
  const lines = (await service.logged('anomaly.detected')).filter(({ agentId }) => agentId === party.agentId);
  expect(lines).toMatchObject([{ level: 'warn', type: 'new_principal', severity: 'low' }]);
  expect(JSON.stringify(lines)).not.toContain('user_new');
  const span = await waitFor(() => sentSpans(sink).find(({ spanId }) => spanId === lines[0]?.['span_id']));
  expect([span.name, span.parentSpanId || undefined]).toEqual(['grantex.anomaly.detect', undefined]);
});

test('POST /v1/anomalies/detect 200: what was found, and the same again without counting it twice', async () => {
  const party = await newParty(service);
  await party.grant({ principalId: 'user_asked' });
  const [known] = await listed(service, party, 'new_principal');
  const counted = await detected(service, 'new_principal', 'low');
  for (let n = 0; n < 3; n++) {
    const { status, body } = await service.request('POST', '/v1/anomalies/detect', { key: party.key });
    expect([status, body]).toEqual([
      200,
      {
        detectedAt: expect.stringMatching(/^\d{4}-/),
        total: 1,
        anomalies: [known],
        responseMode: 'alert_only',
        autoRevokedGrants: 0,
      },
    ]);
  }
  expect(await detected(service, 'new_principal', 'low')).toBe(counted);
  const server = await waitFor(() =>
    sentSpans(sink).find(({ name }) => name === 'POST /v1/anomalies/detect'),
  );
  const inner = await waitFor(() =>
    sentSpans(sink).find(
      ({ parentSpanId }) =>
        parentSpanId === server.spanId &&
        sentSpans(sink).some(({ name }) => name === 'grantex.anomaly.detect'),
    ),
  );
  expect(inner.traceId).toBe(server.traceId);
});

test('every type, by what agents really do', async () => {
  const all = await startService({
    env: { ...RARELY, ANOMALY_OFF_HOURS_START: '00:00', ANOMALY_OFF_HOURS_END: '00:00' },
  });
  try {
    const party = await newParty(all);
    const pair = await party.grant();
    await party.authorize({ scopes: ['never:had'] });
    const child = await party.delegate(pair.grantToken);
    await party.delegate(child.grantToken);
    let { refreshToken } = pair;
    for (let n = 0; n < 51; n++) {
      const body = { refreshToken, agentId: party.agentId };
      refreshToken = (await all.request('POST', '/v1/token/refresh', { key: party.key, body })).body
        .refreshToken;
    }
    for (let n = 0; n < 5; n++)
      await all.request('POST', '/v1/token', {
        key: party.key,
        body: { code: 'guess', agentId: party.agentId },
      });
    const expected = [
      ['cascade_delegation', 'high', 'user_1'],
      ['high_failure_rate', 'medium', null],
      ['new_principal', 'low', 'user_1'],
      ['off_hours_activity', 'low', null],
      ['rate_spike', 'high', null],
      ['unusual_scope_access', 'high', 'user_1'],
    ];
    const found = await waitFor(async () => {
      const anomalies = await list(all, party);
      return anomalies.length >= 6 ? anomalies : undefined;
    });
    expect(found.map(({ type, severity, principalId }) => [type, severity, principalId]).sort()).toEqual(
      expected,
    );
    for (const [type, severity] of expected)
      expect(await detected(all, String(type), String(severity))).toBe(1);
    const gauge = await waitFor(async () => {
      const value = (await all.scrape()).value('grantex_anomalies_unacknowledged');
      return value === 6 ? value : undefined;
    });
    expect(gauge).toBe(6);
  } finally {
    await all.stop();
  }
});

test('no token waits for it: with its tables locked, exchanges go on, and are looked at afterwards', async () => {
  const party = await newParty(service);
  const [locked, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const lock = service.database.sql.begin(async (tx) => {
    await tx`lock table anomalies, failed_exchanges, anomaly_scan in access exclusive mode`;
    locked.resolve();
    await held.promise;
  });
  await locked.promise;
  const pairs = await Promise.all(
    Array.from({ length: 20 }, (_, n) => party.grant({ principalId: `user_${n}` })),
  );
  expect(await Promise.all(pairs.map(({ grantToken }) => party.verify(grantToken)))).toEqual(
    pairs.map(() => true),
  );
  held.resolve();
  await lock;
  const found = await waitFor(async () => {
    const anomalies = await list(service, party);
    return anomalies.length === 20 ? anomalies : undefined;
  });
  expect(new Set(found.map(({ principalId }) => principalId)).size).toBe(20);
});

test('no scope that an agent asks for keeps anything from being found, whoever asks', async () => {
  const [hostile, other] = [await newParty(service), await newParty(service)];
  await hostile.grant();
  await other.grant();
  // Cut in the middle of a pair, a sentence would be no text that PostgreSQL takes.
  for (const prefix of ['', 'x', 'xx'])
    await hostile.authorize({ scopes: [prefix + '\u{1F600}'.repeat(250)] });
  await other.grant({ principalId: 'user_other' });
  expect(typesOf(await listed(service, other, 'new_principal'))).toContain('new_principal');
  await waitFor(
    async () =>
      (await list(service, other)).some(({ principalId }) => principalId === 'user_other') || undefined,
  );
  const { status, body } = await service.request('POST', '/v1/anomalies/detect', { key: hostile.key });
  expect([status, typesOf(body.anomalies)]).toEqual([200, ['new_principal', 'unusual_scope_access']]);
});
