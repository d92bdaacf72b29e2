import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Sink, sentSpans, startSink } from '../instrumentation/child.ts';
import { createTestDatabase } from '../support/database.ts';
import { newParty, type Party } from '../support/flow.ts';
import { sumOver } from '../support/ledger.ts';
import { startService, type TestService, waitFor } from '../support/service.ts';

/** No scan of all agents comes in between. */
const RARELY = { ANOMALY_SCAN_SECONDS: '86400' };

let sink: Sink;
let service: TestService;
beforeAll(async () => {
  sink = await startSink();
  service = await startService({
    env: {
      ...RARELY,
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '100',
    },
  });
});
afterAll(async () => {
  await service.stop();
  await sink.close();
});

interface AnomalyView {
  readonly id: string;
  readonly type: string;
  readonly severity: string;
  readonly agentId: string;
  readonly principalId: string | null;
  readonly metadata: Record<string, unknown>;
  readonly acknowledgedAt: string | null;
}
const list = async ({ key }: Party, query = '', on = service): Promise<AnomalyView[]> =>
  (await on.request('GET', `/v1/anomalies${query}`, { key })).body.anomalies;
const typesOf = (anomalies: readonly AnomalyView[]) => anomalies.map(({ type }) => type).sort();
/** Those of a party, once all of these types are there. */
const listed = (party: Party, ...types: string[]) =>
  waitFor(async () => {
    const anomalies = await list(party);
    const have = typesOf(anomalies);
    return types.every((type) => have.includes(type)) ? anomalies : undefined;
  });
const detected = async (type: string, severity: string, on = service) =>
  (await on.scrape()).value('grantex_anomalies_detected_total', { type, severity });

test('after issuance, unasked: an anomaly, one more on the counters, a line, and a trace of its own', async () => {
  const party = await newParty(service);
  const before = (await detected('new_principal', 'low')) ?? 0;
  await party.grant({ principalId: 'user_new' });
  const [anomaly] = await listed(party, 'new_principal');
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
  const [known] = await listed(party, 'new_principal');
  const counted = await detected('new_principal', 'low');
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
  expect(await detected('new_principal', 'low')).toBe(counted);
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
      const anomalies = await list(party, '', all);
      return anomalies.length >= 6 ? anomalies : undefined;
    });
    expect(found.map(({ type, severity, principalId }) => [type, severity, principalId]).sort()).toEqual(
      expected,
    );
    for (const [type, severity] of expected)
      expect(await detected(String(type), String(severity), all)).toBe(1);
    const gauge = await waitFor(async () => {
      const value = (await all.scrape()).value('grantex_anomalies_unacknowledged');
      return value === 6 ? value : undefined;
    }, 10_000);
    expect(gauge).toBe(6);
  } finally {
    await all.stop();
  }
});

test('acknowledged: gone from the open ones, not opened again by the same fact, but by a new one', async () => {
  const party = await newParty(service);
  const { grantToken } = await party.grant({ principalId: 'user_2' });
  const child = await party.delegate(grantToken);
  await party.delegate(child.grantToken);
  await listed(party, 'cascade_delegation', 'new_principal');
  // Seen again until nothing is under way any more.
  await service.request('POST', '/v1/anomalies/detect', { key: party.key });
  const path = async (type: string) =>
    `/v1/anomalies/${(await list(party)).find((one) => one.type === type)?.id}/acknowledge`;
  const cascade = await path('cascade_delegation');
  const first = await service.request('PATCH', cascade, { key: party.key, body: { notes: 'seen to' } });
  expect([first.status, first.body.type]).toEqual([200, 'cascade_delegation']);
  expect(Date.parse(first.body.acknowledgedAt)).toBeGreaterThan(Date.parse(first.body.detectedAt));
  const again = await service.request('PATCH', cascade, { key: party.key });
  expect([again.status, again.body]).toEqual([200, first.body]);
  expect(await service.database.sql`select notes from anomalies where id = ${first.body.id}`).toEqual([
    { notes: 'seen to' },
  ]);
  expect(typesOf(await list(party, '?unacknowledged=true'))).toEqual(['new_principal']);
  for (const query of ['', '?unacknowledged=false'])
    expect(typesOf(await list(party, query))).toEqual(['cascade_delegation', 'new_principal']);

  const detect = async () => (await service.request('POST', '/v1/anomalies/detect', { key: party.key })).body;
  expect(typesOf((await detect()).anomalies)).toEqual(['new_principal']);
  await party.delegate(child.grantToken);
  expect(typesOf((await detect()).anomalies)).toEqual(['cascade_delegation', 'new_principal']);
  const both = (await list(party)).filter(({ type }) => type === 'cascade_delegation');
  expect(both.map(({ acknowledgedAt }) => acknowledgedAt === null)).toEqual([true, false]);
});

test.each([
  ['PATCH', '/v1/anomalies/anm_unknown/acknowledge', undefined, 404],
  ['PATCH', '/v1/anomalies/anm_unknown/acknowledge', { notes: 5 }, 400],
  ['PATCH', '/v1/anomalies/anm_unknown/acknowledge', { notes: 'x'.repeat(2001) }, 400],
  ['GET', '/v1/anomalies?unacknowledged=perhaps', undefined, 400],
])('%s %s %j: %i', async (method, path, body, status) => {
  const { key } = await newParty(service);
  expect((await service.request(method, path, { key, body })).status).toBe(status);
});

test('401 without a key, on every route', async () => {
  for (const [method, path] of [
    ['POST', '/v1/anomalies/detect'],
    ['GET', '/v1/anomalies'],
    ['PATCH', '/v1/anomalies/anm_1/acknowledge'],
  ] as const)
    expect((await service.request(method, path)).status).toBe(401);
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
    const anomalies = await list(party);
    return anomalies.length === 20 ? anomalies : undefined;
  }, 15_000);
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
  expect(typesOf(await listed(other, 'new_principal'))).toContain('new_principal');
  await waitFor(
    async () => (await list(other)).some(({ principalId }) => principalId === 'user_other') || undefined,
  );
  const { status, body } = await service.request('POST', '/v1/anomalies/detect', { key: hostile.key });
  expect([status, typesOf(body.anomalies)]).toEqual([200, ['new_principal', 'unusual_scope_access']]);
});

test('an agent that is removed leaves its anomalies', async () => {
  const party = await newParty(service);
  await party.grant();
  await listed(party, 'new_principal');
  await service.request('DELETE', `/v1/agents/${party.agentId}`, { key: party.key });
  expect(typesOf(await list(party))).toEqual(['new_principal']);
});

test('two replicas: each anomaly is opened and counted once, a scan runs once, and a restart counts nothing again', async () => {
  const database = await createTestDatabase();
  const env = { ANOMALY_SCAN_SECONDS: '1' };
  const replicas = await Promise.all([startService({ database, env }), startService({ database, env })]);
  const [one, two] = replicas as [TestService, TestService];
  try {
    const party = await newParty(one);
    await Promise.all(Array.from({ length: 10 }, (_, n) => party.grant({ principalId: `user_${n}` })));
    // Both look at the same facts at the same time, asked or not.
    for (let n = 0; n < 10; n++)
      await Promise.all(
        replicas.map((replica) => replica.request('POST', '/v1/anomalies/detect', { key: party.key })),
      );
    const rows = await database.sql`select type, count(*)::int as total from anomalies group by type`;
    expect(rows).toEqual([{ type: 'new_principal', total: 10 }]);
    expect(
      await sumOver(replicas, 'grantex_anomalies_detected_total', { type: 'new_principal', severity: 'low' }),
    ).toBe(10);

    // Of what happened in the database alone only the scan can know.
    await database.sql`insert into grants (id, developer_id, agent_id, principal_id, scopes, status, issued_at, expires_at,
        root_grant_id, delegation_depth)
      values ('grnt_deep', ${party.developerId}, ${party.agentId}, 'user_1', '{a}', 'active', now(),
        now() + interval '1 day', 'grnt_deep', 3)`;
    await waitFor(
      async () =>
        (await database.sql`select from anomalies where type = 'cascade_delegation'`).length === 1 ||
        undefined,
      15_000,
    );
    const deep = { type: 'cascade_delegation', severity: 'high' };
    const sum = await waitFor(
      async () => (await sumOver(replicas, 'grantex_anomalies_detected_total', deep)) || undefined,
    );
    expect(sum).toBe(1);

    expect(await two.stop()).toBe(0);
    const later = await startService({ database, env });
    try {
      const [scan] = await database.sql`select begun_at from anomaly_scan`;
      await waitFor(
        async () =>
          (await database.sql`select from anomaly_scan where begun_at > ${scan?.['begun_at']}`).length ===
            1 || undefined,
        15_000,
      );
      await later.request('POST', '/v1/anomalies/detect', { key: party.key });
      for (const { type, severity } of await list(party, '', later))
        expect(await detected(type, severity, later)).toBe(0);
      expect((await later.scrape()).value('grantex_anomalies_unacknowledged')).toBe(11);
    } finally {
      await later.stop();
    }
  } finally {
    await one.stop();
    await two.stop();
    await database.drop();
  }
});
