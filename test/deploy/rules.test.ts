import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { findProblems } from '../../deploy/programs/rules/find-problems.ts';
import { isAlert, readRules } from '../../deploy/programs/rules/rule-files.ts';
import { temporaryDirectory } from '../support/service.ts';

const ROOT = new URL('../../', import.meta.url);
const RULES = new URL('deploy/prometheus/rules/', ROOT);
const TESTS = new URL('deploy/prometheus/rule-tests/', ROOT);
const alerts = (await readRules(RULES)).filter(isAlert);

test('nothing is wrong with the rules and runbooks', async () => {
  expect(await findProblems(ROOT)).toEqual([]);
});

test.each([
  ['HighTokenExchangeFailureRate', '> 0.05 ', '> 0.15 '],
  ['HighTokenRefreshFailureRate', '> 0.05 ', '> 0.15 '],
  ['AnomaliesDetected', '> 5', '> 10'],
  ['WebhookDeliveryFailure', '< 0.98 ', '< 0.95 '],
  ['HighRateLimitRate', '> 50', '> 200'],
  ['HighAuthLatency', '> 0.5 ', '> 2 '],
  ['HealthCheckFailing', 'probe_success{job="grantex-auth-health"} == 0', '>= 3'],
])('%s has the thresholds of the telemetry contract', (name, warning, critical) => {
  const found = alerts.filter(({ alert }) => alert === name);
  expect(found.map(({ labels }) => labels?.['severity'])).toEqual(['warning', 'critical']);
  expect(found[0]?.expr).toContain(warning);
  expect(found[1]?.expr).toContain(critical);
});

interface RuleTest {
  readonly name: string;
  readonly alert_rule_test?: readonly {
    readonly alertname: string;
    readonly exp_alerts: readonly { readonly exp_labels: Readonly<Record<string, string>> }[];
  }[];
}

test('each alert is tested: that each severity fires, with its whole text, and that it does not', async () => {
  const files = await readdir(TESTS);
  const texts = await Promise.all(files.map((name) => readFile(new URL(name, TESTS), 'utf8')));
  const expected = texts.flatMap((text) =>
    (parse(text).tests as RuleTest[]).flatMap(({ alert_rule_test = [] }) => alert_rule_test),
  );
  const fires = new Set(
    expected.flatMap(({ alertname, exp_alerts }) =>
      exp_alerts.map(({ exp_labels }) => `${alertname} ${exp_labels['severity']}`),
    ),
  );
  const rests = new Set(
    expected.flatMap(({ alertname, exp_alerts }) => (exp_alerts.length ? [] : [alertname])),
  );
  expect([...fires].sort()).toEqual(
    alerts.map(({ alert, labels }) => `${alert} ${labels?.['severity']}`).sort(),
  );
  const mayRest = alerts.filter(({ labels }) => labels?.['severity'] !== 'none');
  expect([...rests].sort()).toEqual([...new Set(mayRest.map(({ alert }) => alert))].sort());
});

let copy: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeEach(async () => {
  copy = await temporaryDirectory();
  for (const path of ['docs/logs-and-traces.md', 'deploy/prometheus/rules', 'deploy/runbooks'])
    await cp(new URL(path, ROOT), join(copy.path, path), { recursive: true });
});
afterEach(() => copy.remove());

const SIGNALS = 'deploy/prometheus/rules/signals.yml';
const RUNBOOK = 'deploy/runbooks/HighRateLimitRate.md';

async function replace(path: string, from: string, to: string): Promise<void> {
  const file = join(copy.path, path);
  const text = await readFile(file, 'utf8');
  expect(text).toContain(from);
  await writeFile(file, text.replace(from, to));
}
const problems = () => findProblems(pathToFileURL(`${copy.path}/`));

test.each([
  [
    'no runbook_url',
    SIGNALS,
    /^ *runbook_url: .*HighRateLimitRate.md\n/m,
    '',
    'its runbook_url is not http://localhost:3000/public/runbooks/HighRateLimitRate.md',
  ],
  ['no summary', SIGNALS, /^ *summary: .*429.*\n/m, '', 'HighRateLimitRate: has no summary'],
  [
    'no value in its text',
    SIGNALS,
    /\{\{ \$value[^}]*\}\}/g,
    'some',
    'HighRateLimitRate: neither summary nor description says a value',
  ],
  [
    'a severity of its own',
    SIGNALS,
    'severity: critical',
    'severity: page',
    'its severity is neither warning nor critical',
  ],
  [
    'a severity that people hear of, though it always fires',
    'deploy/prometheus/rules/watching.yml',
    'severity: none',
    'severity: warning',
    'GrantexWatchdog: its severity is not none, though it always fires',
  ],
  [
    'no dashboard of ours',
    SIGNALS,
    '/d/grantex-overview',
    '/d/another',
    'its dashboard_url leads to no dashboard of ours',
  ],
  [
    'a label in its text that is summed away',
    SIGNALS,
    'requests a minute are refused',
    '{{ $labels.instance }} are refused',
    'tells the label "instance", which its series do not have',
  ],
  [
    'a metric that nobody exports',
    SIGNALS,
    'grantex_rate_limited_total',
    'grantex_rate_limits_total',
    'grantex:rate_limited:per_minute5m: there is no series grantex_rate_limits_total',
  ],
  [
    'a recorded series that no rule records',
    SIGNALS,
    'expr: grantex:rate_limited:per_minute5m',
    'expr: grantex:rate_limited:per_hour',
    'HighRateLimitRate: there is no series grantex:rate_limited:per_hour',
  ],
  [
    'a label that the metric does not have',
    SIGNALS,
    'status="error"}[5m]',
    'result="error"}[5m]',
    'grantex_token_exchange_total has no label "result"',
  ],
  [
    'a value that the label never has',
    SIGNALS,
    'status="error"}[5m]',
    'status="failure"}[5m]',
    'grantex_token_exchange_total never has status="failure"',
  ],
  [
    'a boundary that the histogram does not have',
    SIGNALS,
    'le="0.5"',
    'le="0.6"',
    'grantex_authorize_duration_seconds_bucket never has le="0.6"',
  ],
  [
    'a grouping by what is not there',
    SIGNALS,
    'sum by (job, le)',
    'sum by (job, le, agent_id)',
    'no series that is grouped or joined by "agent_id" has such a label',
  ],
  [
    'an expression that does not parse',
    SIGNALS,
    'rate(grantex_rate_limited_total{job="grantex-auth"}[5m])) * 60',
    'rate(grantex_rate_limited_total{job="grantex-auth"}[5m]) * 60',
    'PromQL, at character',
  ],
  [
    'series of whatever deployment',
    SIGNALS,
    'probe_success{job="grantex-auth-health"} == 0',
    'probe_success == 0',
    'HealthCheckFailing: probe_success may be of another deployment',
  ],
  [
    'no label of the service',
    SIGNALS,
    /^ *service: .*\n/m,
    '',
    'HighTokenExchangeFailureRate: has no label service',
  ],
  [
    'a name of kube-prometheus',
    SIGNALS,
    'alert: HealthCheckFailing',
    'alert: TargetDown',
    'TargetDown: kube-prometheus has an alert of this name',
  ],
  [
    'a runbook with a query that does not parse',
    RUNBOOK,
    '* 60 > 0',
    '* 60 >',
    `${RUNBOOK}: PromQL, at character`,
  ],
  [
    'a runbook with a query about nothing',
    RUNBOOK,
    'grantex_rate_limited_total',
    'rate_limited_total',
    'there is no series rate_limited_total',
  ],
  [
    'a runbook with a filter for a line that nobody logs',
    RUNBOOK,
    '"rate_limit.hit"',
    '"rate_limit.met"',
    'there is no log line "rate_limit.met"',
  ],
  [
    'a runbook without a section',
    RUNBOOK,
    '## Mend',
    '## Repair',
    'its sections are not: What users feel, Confirm, Usual causes, Mend, Over when',
  ],
  [
    'a runbook of another alert',
    RUNBOOK,
    '# HighRateLimitRate',
    '# HighRate',
    'does not begin with "# HighRateLimitRate"',
  ],
])('the check finds an alert with %s', async (_what, path, from, to, problem) => {
  const file = join(copy.path, path);
  const text = await readFile(file, 'utf8');
  const broken = text.replace(from, to);
  expect(broken).not.toBe(text);
  await writeFile(file, broken);
  expect((await problems()).join('\n')).toContain(problem);
});

test('the check finds a missing runbook, one too many, and an alert that is there twice', async () => {
  await rm(join(copy.path, RUNBOOK));
  await writeFile(join(copy.path, 'deploy/runbooks/Gone.md'), '# Gone\n');
  await replace(SIGNALS, 'severity: critical', 'severity: warning');
  expect((await problems()).sort()).toEqual([
    'HighRateLimitRate: there is no deploy/runbooks/HighRateLimitRate.md',
    'HighTokenExchangeFailureRate (warning): there are two',
    'deploy/runbooks/Gone.md: there is no such alert',
  ]);
});
