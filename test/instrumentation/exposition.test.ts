import type { Counter } from '@opentelemetry/api';
import { afterEach, describe, expect, test } from 'vitest';
import { REFUSAL_REASONS } from '../../src/label-values.ts';
import { FAMILIES } from '../../src/telemetry/families.ts';
import { startHarness } from '../telemetry/harness.ts';

let harness: ReturnType<typeof startHarness>;
afterEach(() => harness.stop());

const ZEROS = `# HELP target_info Target metadata
# TYPE target_info gauge
target_info{service_name="test"} 1
# HELP grantex_token_exchange_total Token exchange attempts that have ended, by outcome. 401 and 429 are not attempts.
# TYPE grantex_token_exchange_total counter
grantex_token_exchange_total{status="success"} 0
grantex_token_exchange_total{status="error"} 0
# HELP grantex_authorize_total Authorization requests that have ended, by outcome; denied is a refusal by policy. 401 and 429 are not attempts.
# TYPE grantex_authorize_total counter
grantex_authorize_total{status="success"} 0
grantex_authorize_total{status="denied"} 0
grantex_authorize_total{status="error"} 0
# HELP grantex_token_refresh_total Token refresh attempts that have ended, by outcome. 401 and 429 are not attempts.
# TYPE grantex_token_refresh_total counter
grantex_token_refresh_total{status="success"} 0
grantex_token_refresh_total{status="error"} 0
# HELP grantex_token_verifications_total Tokens verified online, by result.
# TYPE grantex_token_verifications_total counter
grantex_token_verifications_total{result="valid"} 0
grantex_token_verifications_total{result="invalid"} 0
# HELP grantex_grants_created_total Grants created, by origin.
# TYPE grantex_grants_created_total counter
grantex_grants_created_total{origin="consent"} 0
grantex_grants_created_total{origin="delegation"} 0
# HELP grantex_grants_revoked_total Grants that went from active to revoked, cascades included.
# TYPE grantex_grants_revoked_total counter
grantex_grants_revoked_total 0
# HELP grantex_consent_decisions_total Decisions of principals on consent requests.
# TYPE grantex_consent_decisions_total counter
grantex_consent_decisions_total{decision="approved"} 0
grantex_consent_decisions_total{decision="denied"} 0
# HELP grantex_authorization_requests_ended_total Requests for authorization that have ended, by end. With those still open they add up to all that were made.
# TYPE grantex_authorization_requests_ended_total counter
grantex_authorization_requests_ended_total{end="exchanged"} 0
grantex_authorization_requests_ended_total{end="denied"} 0
grantex_authorization_requests_ended_total{end="expired_undecided"} 0
grantex_authorization_requests_ended_total{end="expired_unused"} 0
grantex_authorization_requests_ended_total{end="policy_denied"} 0
# HELP grantex_rate_limited_total Requests refused with 429, by limiter.
# TYPE grantex_rate_limited_total counter
grantex_rate_limited_total{endpoint="api"} 0
grantex_rate_limited_total{endpoint="authorize"} 0
grantex_rate_limited_total{endpoint="token"} 0
grantex_rate_limited_total{endpoint="refresh"} 0
grantex_rate_limited_total{endpoint="verify"} 0
grantex_rate_limited_total{endpoint="consent"} 0
grantex_rate_limited_total{endpoint="signup"} 0
# HELP grantex_authentication_failures_total Requests refused with 401, by what they showed and what was wrong with it.
# TYPE grantex_authentication_failures_total counter
grantex_authentication_failures_total{credential="api_key",reason="missing"} 0
grantex_authentication_failures_total{credential="api_key",reason="malformed"} 0
grantex_authentication_failures_total{credential="api_key",reason="unknown"} 0
grantex_authentication_failures_total{credential="api_key",reason="expired"} 0
grantex_authentication_failures_total{credential="session_token",reason="missing"} 0
grantex_authentication_failures_total{credential="session_token",reason="malformed"} 0
grantex_authentication_failures_total{credential="session_token",reason="unknown"} 0
grantex_authentication_failures_total{credential="session_token",reason="expired"} 0
# HELP grantex_admin_changes_total Changes of what developers and operators set up, by object and change.
# TYPE grantex_admin_changes_total counter
grantex_admin_changes_total{object="developer",change="created"} 0
grantex_admin_changes_total{object="developer",change="suspended"} 0
grantex_admin_changes_total{object="developer",change="resumed"} 0
grantex_admin_changes_total{object="key",change="created"} 0
grantex_admin_changes_total{object="key",change="deleted"} 0
grantex_admin_changes_total{object="key",change="rotated"} 0
grantex_admin_changes_total{object="agent",change="created"} 0
grantex_admin_changes_total{object="agent",change="updated"} 0
grantex_admin_changes_total{object="agent",change="deleted"} 0
grantex_admin_changes_total{object="agent",change="suspended"} 0
grantex_admin_changes_total{object="agent",change="resumed"} 0
grantex_admin_changes_total{object="policy",change="created"} 0
grantex_admin_changes_total{object="policy",change="updated"} 0
grantex_admin_changes_total{object="policy",change="deleted"} 0
grantex_admin_changes_total{object="webhook",change="created"} 0
grantex_admin_changes_total{object="webhook",change="deleted"} 0
grantex_admin_changes_total{object="webhook",change="rotated"} 0
grantex_admin_changes_total{object="session",change="created"} 0
grantex_admin_changes_total{object="signing_key",change="created"} 0
grantex_admin_changes_total{object="signing_key",change="rotated"} 0
grantex_admin_changes_total{object="signing_key",change="revoked"} 0
# HELP grantex_http_refused_total What the HTTP server refused before it became a request, by reason; it is in no other family of requests.
# TYPE grantex_http_refused_total counter
grantex_http_refused_total{reason="headers_too_large"} 0
grantex_http_refused_total{reason="malformed"} 0
grantex_http_refused_total{reason="connect"} 0
grantex_http_refused_total{reason="method"} 0
grantex_http_refused_total{reason="timeout"} 0
# HELP grantex_http_connections_closed_total Connections that the service closed because of their client, by reason.
# TYPE grantex_http_connections_closed_total counter
grantex_http_connections_closed_total{reason="limit"} 0
grantex_http_connections_closed_total{reason="address_limit"} 0
grantex_http_connections_closed_total{reason="stalled"} 0
grantex_http_connections_closed_total{reason="slow_reader"} 0
# HELP grantex_webhook_deliveries_total Webhook deliveries that reached their end, by outcome.
# TYPE grantex_webhook_deliveries_total counter
grantex_webhook_deliveries_total{status="delivered"} 0
grantex_webhook_deliveries_total{status="failed"} 0
# HELP grantex_webhook_attempts_total Attempts to deliver a webhook, by outcome.
# TYPE grantex_webhook_attempts_total counter
grantex_webhook_attempts_total{outcome="2xx"} 0
grantex_webhook_attempts_total{outcome="3xx"} 0
grantex_webhook_attempts_total{outcome="4xx"} 0
grantex_webhook_attempts_total{outcome="5xx"} 0
grantex_webhook_attempts_total{outcome="timeout"} 0
grantex_webhook_attempts_total{outcome="refused"} 0
grantex_webhook_attempts_total{outcome="blocked"} 0
# HELP grantex_anomalies_detected_total Anomalies opened, by type and severity; seeing an open one again counts nothing.
# TYPE grantex_anomalies_detected_total counter
grantex_anomalies_detected_total{type="rate_spike",severity="high"} 0
grantex_anomalies_detected_total{type="high_failure_rate",severity="medium"} 0
grantex_anomalies_detected_total{type="new_principal",severity="low"} 0
grantex_anomalies_detected_total{type="off_hours_activity",severity="low"} 0
grantex_anomalies_detected_total{type="unusual_scope_access",severity="high"} 0
grantex_anomalies_detected_total{type="cascade_delegation",severity="high"} 0
# HELP grantex_retention_removed_total Rows that were removed because they had ended long enough ago, by table.
# TYPE grantex_retention_removed_total counter
grantex_retention_removed_total{table="authorization_requests"} 0
grantex_retention_removed_total{table="tokens"} 0
grantex_retention_removed_total{table="refresh_tokens"} 0
grantex_retention_removed_total{table="anomalies"} 0
grantex_retention_removed_total{table="grants"} 0
grantex_retention_removed_total{table="audit_entries"} 0
# HELP grantex_statements_ended_total Database statements and transactions that were ended for the time they took, by what ended them.
# TYPE grantex_statements_ended_total counter
grantex_statements_ended_total{by="statement_timeout"} 0
grantex_statements_ended_total{by="lock_timeout"} 0
grantex_statements_ended_total{by="idle_in_transaction"} 0
grantex_statements_ended_total{by="cancel"} 0
# HELP grantex_metrics_collection_errors_total Failures while reading or writing out metrics.
# TYPE grantex_metrics_collection_errors_total counter
grantex_metrics_collection_errors_total 0
# HELP grantex_telemetry_faults_total Errors thrown while recording telemetry; they were swallowed, the requests went on.
# TYPE grantex_telemetry_faults_total counter
grantex_telemetry_faults_total 0
`;

const REFUSALS = `# HELP grantex_refusals_total Requests that were refused or failed, by operation and reason. 401 and 429 have families of their own.
# TYPE grantex_refusals_total counter
${Object.entries(REFUSAL_REASONS)
  .flatMap(([operation, reasons]) =>
    reasons.map((reason) => `grantex_refusals_total{operation="${operation}",reason="${reason}"} 0\n`),
  )
  .join('')}`;

const ATTEMPT_BUCKETS = ['0.01', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '+Inf'];

/** Apart from the histograms of other boundaries, whose zeros have a test of their own. */
const withoutOthers = (exposition: string): string =>
  families(exposition)
    .filter((family) => !/^# HELP grantex_(http_request_duration|consent_wait)_seconds /.test(family))
    .join('');

function histogram(name: string, help: string, labels: string, seconds: number | null): string {
  const series = (suffix: string, own: string) => {
    const all = [labels, own].filter(Boolean).join(',');
    return `${name}${suffix}${all && `{${all}}`}`;
  };
  const buckets = ATTEMPT_BUCKETS.map((le) => {
    const within = seconds !== null && (le === '+Inf' || seconds <= Number(le));
    return `${series('_bucket', `le="${le}"`)} ${within ? 1 : 0}\n`;
  });
  return `# HELP ${name} ${help}
# UNIT ${name} seconds
# TYPE ${name} histogram
${buckets.join('')}${series('_count', '')} ${seconds === null ? 0 : 1}
${series('_sum', '')} ${seconds ?? 0}
`;
}

/** Families apart, in the order of their names: their order in the exposition means nothing. */
const families = (exposition: string): string[] => exposition.split(/(?=^# HELP )/m).sort();

describe('the whole exposition', () => {
  const AUTHORIZE = 'Duration of every counted authorization request, failures too, in seconds';
  const authorize = (seconds: number | null) =>
    histogram('grantex_authorize_duration_seconds', `${AUTHORIZE}.`, '', seconds);
  const EXCHANGE = histogram(
    'grantex_token_exchange_duration_seconds',
    'Duration of every counted token exchange attempt, failures too, in seconds.',
    '',
    null,
  );

  test('at the start: every closed counter and histogram at zero, no gauge, no agent', async () => {
    harness = startHarness();
    const expected = ZEROS + REFUSALS + EXCHANGE + authorize(null);
    expect(families(withoutOthers(await harness.scrape()))).toEqual(families(expected));
  });

  test('after an authorization and a revocation', async () => {
    harness = startHarness();
    const { instruments, events } = harness.telemetry;
    instruments.authorizations.add(1, { status: 'denied', agent_id: 'ag_1' });
    instruments.authorizeDuration.record(0.3, { agent_id: 'ag_1' });
    events.grantRevoked({
      grantId: 'grnt_1',
      developerId: 'dev_1',
      revokedBy: 'developer',
      cascadeCount: 1,
      revokedByAgent: new Map([['ag_1', 2]]),
    });
    const expected =
      ZEROS.replace('{status="denied"} 0', '{status="denied"} 1').replace(
        'revoked_total 0',
        'revoked_total 2',
      ) +
      REFUSALS +
      EXCHANGE +
      authorize(0.3) +
      histogram(
        'grantex_agent_authorize_duration_seconds',
        `${AUTHORIZE}, by agent.`,
        'agent_id="ag_1"',
        0.3,
      ) +
      `# HELP grantex_agent_authorize_total Authorization requests that have ended, by outcome and agent.
# TYPE grantex_agent_authorize_total counter
grantex_agent_authorize_total{status="denied",agent_id="ag_1"} 1
# HELP grantex_agent_grants_revoked_total Grants that went from active to revoked, cascades included, by agent.
# TYPE grantex_agent_grants_revoked_total counter
grantex_agent_grants_revoked_total{agent_id="ag_1"} 2
`;
    expect(families(withoutOthers(await harness.scrape()))).toEqual(families(expected));
  });

  test('the boundaries of every histogram are those of the contract', () => {
    const boundaries = Object.fromEntries(
      FAMILIES.map(({ name, boundaries }) => [name, boundaries?.join(' ')]),
    );
    expect(boundaries).toMatchObject({
      grantex_authorize_duration_seconds: '0.01 0.05 0.1 0.25 0.5 1 2.5 5',
      grantex_token_exchange_duration_seconds: '0.01 0.05 0.1 0.25 0.5 1 2.5 5',
      grantex_http_request_duration_seconds: '0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10',
    });
  });
});

describe('labels', () => {
  test('only those of the catalogue pass, with values of their closed sets', async () => {
    harness = startHarness();
    const { instruments } = harness.telemetry;
    (instruments.tokenExchanges as Counter).add(1, { status: 'weird', path: '/v1/secret', ip: '192.0.2.1' });
    (instruments.grantsRevoked as Counter).add(1, { principal: 'user_1' });
    const text = await harness.scrape();
    expect(text).toContain('grantex_token_exchange_total{status="_OTHER"} 1\n');
    expect(text).toContain('grantex_grants_revoked_total 1\n');
    expect(text).not.toMatch(/secret|192\.0\.2\.1|user_1/);
  });

  test('requests: known verbs or _OTHER, the template or unmatched, the status', async () => {
    harness = startHarness();
    const duration = harness.meter.createHistogram('http.server.request.duration', { unit: 's' });
    const record = (method: string, status: number, route?: string) =>
      duration.record(0.01, {
        'http.request.method': method,
        'http.response.status_code': status,
        'url.scheme': 'http',
        ...(route && { 'http.route': route }),
      });
    record('GET', 200, '/v1/grants/:id');
    record('BREW', 404);
    const counts = [...(await harness.samples())].flatMap(([series, value]) =>
      /http.*_count/.test(series) && value > 0 ? [series] : [],
    );
    expect(counts).toEqual([
      'grantex_http_request_duration_seconds_count{method="GET",route="/v1/grants/:id",status_code="200"}',
      'grantex_http_request_duration_seconds_count{method="_OTHER",route="unmatched",status_code="404"}',
    ]);
  });
});

describe('agents', () => {
  const attempt = (id: string) => {
    const { instruments } = harness.telemetry;
    instruments.tokenExchanges.add(1, { status: 'success', agent_id: id });
    instruments.authorizations.add(1, { status: 'success', agent_id: id });
    instruments.authorizeDuration.record(0.1, { agent_id: id });
    instruments.grantsCreated.add(1, { origin: 'delegation', agent_id: id });
    instruments.grantsRevoked.add(1, { agent_id: id });
  };

  test('the limit holds for life: 1,000 agents over several scrapes, a constant number of series', async () => {
    harness = startHarness({ agentLimit: 50 });
    const seen: number[] = [];
    for (let round = 0; round < 4; round++) {
      for (let agent = 0; agent < 250; agent++) attempt(`ag_${round * 250 + agent}`);
      seen.push((await harness.samples()).size);
    }
    expect(new Set(seen).size).toBe(1);
    const samples = await harness.samples();
    const exchanged = [...samples].filter(([series]) => series.startsWith('grantex_agent_token_exchange'));
    expect(exchanged).toHaveLength(51);
    expect(samples.get('grantex_agent_token_exchange_total{status="success",agent_id="ag_49"}')).toBe(1);
    expect(samples.get('grantex_agent_token_exchange_total{status="success",agent_id="other"}')).toBe(950);
    const total = exchanged.reduce((sum, [, value]) => sum + value, 0);
    expect(total).toBe(samples.get('grantex_token_exchange_total{status="success"}'));
  });

  test('an agent is in all families or in none, whichever it comes to first', async () => {
    harness = startHarness({ agentLimit: 1 });
    harness.telemetry.instruments.grantsRevoked.add(1, { agent_id: 'ag_first' });
    attempt('ag_second');
    const own = [...(await harness.samples()).keys()].filter((series) => series.includes('ag_second'));
    expect(own).toEqual([]);
  });

  test('exact up to the limit, also far beyond the cardinality that the SDK allows by default', async () => {
    harness = startHarness({ agentLimit: 3000 });
    for (let agent = 0; agent < 3000; agent++) attempt(`ag_${agent}`);
    const samples = await harness.samples();
    const ones = [...samples].filter(([series]) => series.startsWith('grantex_agent_grants_revoked_total'));
    expect(ones).toHaveLength(3000);
    expect(ones.every(([, value]) => value === 1)).toBe(true);
    expect([...samples.keys()].some((series) => series.includes('overflow'))).toBe(false);
  });

  test('a family that is written in several parts has one header', async () => {
    harness = startHarness({ agentLimit: 1500 });
    for (let agent = 0; agent < 1500; agent++) attempt(`ag_${agent}`);
    const lines = (await harness.scrape()).split('\n');
    const header = lines.filter(
      (line) => line.startsWith('# ') && line.includes(' grantex_agent_grants_revoked_total'),
    );
    expect(header.map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
      '# HELP grantex_agent_grants_revoked_total',
      '# TYPE grantex_agent_grants_revoked_total',
    ]);
  });

  test('METRICS_PER_AGENT=false removes them', async () => {
    harness = startHarness({ perAgent: false });
    attempt('ag_1');
    const text = await harness.scrape();
    expect(text).not.toMatch(/agent_id|grantex_agent_/);
    expect(text).toContain('grantex_authorize_total{status="success"} 1');
  });
});
