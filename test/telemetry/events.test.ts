import { afterEach, describe, expect, test } from 'vitest';
import { inRequest } from '../../src/request-scope.ts';
import type { Events } from '../../src/telemetry/events.ts';
import { changes, startHarness } from './harness.ts';

let harness: ReturnType<typeof startHarness>;
afterEach(() => harness.stop());
const IDS = { grantId: 'grnt_1', agentId: 'ag_1', developerId: 'dev_1' };
const SPAN_IDS = {
  'grantex.grant_id': 'grnt_1',
  'grantex.agent_id': 'ag_1',
  'grantex.developer_id': 'dev_1',
};

const HOOK = {
  webhookId: 'wh_1',
  agentId: 'ag_1',
  developerId: 'dev_1',
  url: 'https://hooks.example.com/in',
};
const HOOK_SPAN = { 'grantex.agent_id': 'ag_1', 'grantex.developer_id': 'dev_1' };

const DECIDED = {
  decision: 'denied',
  authRequestId: 'areq_1',
  agentId: 'ag_1',
  principalId: 'user_1',
  developerId: 'dev_1',
} as const;

interface Case {
  readonly name: string;
  readonly emit: (events: Events) => void;
  readonly line?: Record<string, unknown>;
  readonly counted?: Record<string, number>;
  readonly span?: Record<string, unknown>;
}

const DENIED = { agentId: 'ag_1', principalId: 'user_1', reason: 'pol_1', developerId: 'dev_1' };
const WAITED = Object.fromEntries([
  ...['5', '10', '30', '60', '120', '300', '600', '+Inf'].map((le) => [
    `grantex_consent_wait_seconds_bucket{decision="denied",le="${le}"}`,
    1,
  ]),
  ['grantex_consent_wait_seconds_count{decision="denied"}', 1],
  ['grantex_consent_wait_seconds_sum{decision="denied"}', 3],
]);
const EXPIRED = { operation: 'verify', reason: 'expired' } as const;
const CASES: Case[] = [
  {
    name: 'grantCreated',
    emit: (events) =>
      events.grantCreated({
        ...IDS,
        principalId: 'user_1',
        scopes: ['a:b', 'c:d'],
        origin: 'consent',
        latencyMs: 12,
      }),
    line: {
      level: 'info',
      msg: 'grant.created',
      grantId: 'grnt_1',
      agentId: 'ag_1',
      principalId: 'user_1',
      scopes: ['a:b', 'c:d'],
      latencyMs: 12,
    },
    counted: {
      'grantex_grants_created_total{origin="consent"}': 1,
      'grantex_agent_grants_created_total{origin="consent",agent_id="ag_1"}': 1,
    },
    span: { ...SPAN_IDS, 'grantex.scopes': ['a:b', 'c:d'] },
  },
  {
    name: 'grantRevoked',
    emit: (events) =>
      events.grantRevoked({
        grantId: 'grnt_1',
        developerId: 'dev_1',
        revokedBy: 'refresh_reuse',
        cascadeCount: 3,
        revokedByAgent: new Map([
          ['ag_1', 1],
          ['ag_2', 3],
        ]),
      }),
    line: {
      level: 'info',
      msg: 'grant.revoked',
      grantId: 'grnt_1',
      developerId: 'dev_1',
      revokedBy: 'refresh_reuse',
      cascadeCount: 3,
    },
    counted: {
      grantex_grants_revoked_total: 4,
      'grantex_agent_grants_revoked_total{agent_id="ag_1"}': 1,
      'grantex_agent_grants_revoked_total{agent_id="ag_2"}': 3,
    },
    span: { 'grantex.grant_id': 'grnt_1', 'grantex.developer_id': 'dev_1' },
  },
  {
    name: 'tokenExchanged',
    emit: (events) => events.tokenExchanged(IDS),
    line: { level: 'info', msg: 'token.exchanged', grantId: 'grnt_1', agentId: 'ag_1' },
    counted: { 'grantex_authorization_requests_ended_total{end="exchanged"}': 1 },
    span: SPAN_IDS,
  },
  {
    name: 'tokenRefreshed',
    emit: (events) => events.tokenRefreshed(IDS),
    line: { level: 'info', msg: 'token.refreshed', grantId: 'grnt_1', agentId: 'ag_1' },
    span: SPAN_IDS,
  },
  {
    name: 'tokenVerified',
    emit: (events) => events.tokenVerified(IDS),
    counted: { 'grantex_token_verifications_total{result="valid"}': 1 },
    span: SPAN_IDS,
  },
  {
    name: 'tokenVerificationFailed',
    emit: (events) => events.tokenVerificationFailed({ ...EXPIRED, tokenId: 'tok_1', grant: IDS }),
    line: { level: 'warn', msg: 'token.verification_failed', reason: 'expired', tokenId: 'tok_1' },
    counted: {
      'grantex_token_verifications_total{result="invalid"}': 1,
      'grantex_refusals_total{operation="verify",reason="expired"}': 1,
    },
    span: { ...SPAN_IDS, 'grantex.refusal_reason': 'expired' },
  },
  {
    name: 'authorizationRequested',
    emit: (events) =>
      events.authorizationRequested({
        agentId: 'ag_1',
        principalId: 'user_1',
        scopes: ['a:b'],
        developerId: 'dev_1',
      }),
    span: { 'grantex.agent_id': 'ag_1', 'grantex.developer_id': 'dev_1', 'grantex.scopes': ['a:b'] },
  },
  {
    name: 'authorizeDenied',
    emit: (events) => events.authorizeDenied(DENIED),
    counted: { 'grantex_authorization_requests_ended_total{end="policy_denied"}': 1 },
    line: { level: 'warn', msg: 'authorize.denied', agentId: 'ag_1', principalId: 'user_1', reason: 'pol_1' },
    span: { 'grantex.agent_id': 'ag_1', 'grantex.developer_id': 'dev_1' },
  },
  {
    name: 'consentDecided',
    emit: (events) => events.consentDecided({ ...DECIDED, waited: 3 }),
    line: { level: 'info', msg: 'consent.decided', ...DECIDED },
    counted: {
      'grantex_consent_decisions_total{decision="denied"}': 1,
      'grantex_authorization_requests_ended_total{end="denied"}': 1,
      ...WAITED,
    },
    span: { 'grantex.agent_id': 'ag_1', 'grantex.developer_id': 'dev_1' },
  },
  {
    name: 'webhookAttempted, delivered',
    emit: (events) =>
      events.webhookAttempted({ ...HOOK, attempt: 2, outcome: '2xx', statusCode: 204, ended: 'delivered' }),
    counted: {
      'grantex_webhook_attempts_total{outcome="2xx"}': 1,
      'grantex_webhook_deliveries_total{status="delivered"}': 1,
      'grantex_agent_webhook_deliveries_total{status="delivered",agent_id="ag_1"}': 1,
    },
    span: { ...HOOK_SPAN, 'http.response.status_code': 204 },
  },
  {
    name: 'webhookAttempted, to be repeated',
    emit: (events) =>
      events.webhookAttempted({ ...HOOK, attempt: 1, outcome: 'timeout', statusCode: null, ended: null }),
    line: {
      level: 'error',
      msg: 'webhook.delivery_failed',
      webhookId: 'wh_1',
      url: 'https://hooks.example.com/in',
      statusCode: null,
      attempt: 1,
    },
    counted: { 'grantex_webhook_attempts_total{outcome="timeout"}': 1 },
    span: { ...HOOK_SPAN, 'error.type': 'timeout' },
  },
  {
    name: 'webhookAttempted, failed for good',
    emit: (events) =>
      events.webhookAttempted({ ...HOOK, attempt: 5, outcome: '5xx', statusCode: 503, ended: 'failed' }),
    line: {
      level: 'error',
      msg: 'webhook.delivery_failed',
      webhookId: 'wh_1',
      url: 'https://hooks.example.com/in',
      statusCode: 503,
      attempt: 5,
    },
    counted: {
      'grantex_webhook_attempts_total{outcome="5xx"}': 1,
      'grantex_webhook_deliveries_total{status="failed"}': 1,
      'grantex_agent_webhook_deliveries_total{status="failed",agent_id="ag_1"}': 1,
    },
    span: { ...HOOK_SPAN, 'http.response.status_code': 503, 'error.type': '503' },
  },
  {
    name: 'webhookWorkFailed',
    emit: (events) => events.webhookWorkFailed({ step: 'look', error: 'gone' }),
    line: { level: 'warn', msg: 'webhook.work_failed', step: 'look', error: { name: 'string' } },
  },
  {
    name: 'backgroundWorkFailed',
    emit: (events) => events.backgroundWorkFailed({ work: 'removals', error: 'gone' }),
    line: { level: 'warn', msg: 'background.work_failed', work: 'removals', error: { name: 'string' } },
  },
  {
    name: 'rateLimitHit',
    emit: (events) => events.rateLimitHit({ ip: '192.0.2.1', endpoint: 'token', retryAfter: 7 }),
    line: { level: 'warn', msg: 'rate_limit.hit', ip: '192.0.2.1', endpoint: 'token', retryAfter: 7 },
    counted: { 'grantex_rate_limited_total{endpoint="token"}': 1 },
  },
  {
    name: 'databaseConnectionError',
    emit: (events) => events.databaseConnectionError({ error: 'ECONNREFUSED', pool: 'main' }),
    line: { level: 'error', msg: 'database.connection_error', error: 'ECONNREFUSED', pool: 'main' },
  },
  {
    name: 'metricsCollectionFailed',
    emit: (events) => events.metricsCollectionFailed({ metric: 'grantex_active_grants', error: 'gone' }),
    line: {
      level: 'warn',
      msg: 'metrics.collection_failed',
      metric: 'grantex_active_grants',
      error: { name: 'string' },
    },
    counted: { grantex_metrics_collection_errors_total: 1 },
  },
];

describe('one call is the counter, the log line and the span attributes', () => {
  test.each(CASES)('$name', async ({ emit, line, counted, span }) => {
    harness = startHarness();
    const before = await harness.samples();
    const attributes = harness.inServerSpan(() => emit(harness.telemetry.events));
    const lines = harness
      .lines()
      .map(({ timestamp: _1, trace_id: _2, span_id: _3, trace_flags: _4, ...own }) => own);
    expect(lines).toEqual(line ? [line] : []);
    expect(changes(before, await harness.samples())).toEqual(counted ?? {});
    expect(attributes).toEqual(span ?? {});
  });

  test('a lost connection belongs to no request, whichever opened it', () => {
    harness = startHarness();
    const { events } = harness.telemetry;
    const lose = () => events.databaseConnectionError({ error: 'ECONNRESET', pool: 'main' });
    harness.inServerSpan(() => inRequest('req_1', lose));
    const fields = harness.lines().flatMap(Object.keys);
    expect(fields).toEqual(['level', 'timestamp', 'error', 'pool', 'msg']);
  });

  test('the principal is on the span only when that is asked for', () => {
    harness = startHarness({ capturePrincipal: true });
    const attributes = harness.inServerSpan(() => harness.telemetry.events.authorizeDenied(DENIED));
    expect(attributes).toMatchObject({ 'grantex.principal_id': 'user_1' });
  });
});

describe('a fault in telemetry never fails a request', () => {
  test('a log stream that throws: no event throws, its counter still counts, the fault is counted', async () => {
    harness = startHarness({
      write: () => {
        throw new Error('stream');
      },
    });
    const before = await harness.samples();
    for (const { emit } of CASES) expect(() => emit(harness.telemetry.events)).not.toThrow();
    const changed = changes(before, await harness.samples());
    for (const { counted } of CASES)
      for (const series of Object.keys(counted ?? {})) expect(changed).toHaveProperty([series]);
    expect(changed['grantex_telemetry_faults_total']).toBe(CASES.filter(({ line }) => line).length);
  });

  test('instruments that throw: nothing throws, the lines are still written, the faults are counted', async () => {
    const fail = () => {
      throw new Error('instrument');
    };
    harness = startHarness({
      meter: (real) =>
        Object.assign(Object.create(real), {
          createCounter: () => ({ add: fail }),
          createHistogram: () => ({ record: fail }),
        }),
    });
    for (const { emit } of CASES) expect(() => emit(harness.telemetry.events)).not.toThrow();
    expect(() => harness.telemetry.attempts.start('authorize')({ status: 201 })).not.toThrow();
    expect(harness.lines()).toHaveLength(CASES.filter(({ line }) => line).length);
    expect((await harness.samples()).get('grantex_telemetry_faults_total')).toBeGreaterThan(0);
  });
});
