import { parsePromql } from '../promql.ts';
import { aggregates, type KnownSeries } from './known-series.ts';
import type { AlertRule } from './rule-files.ts';

/** Alerts of kube-prometheus that people might give a name like ours. */
const OTHERS = [
  'TargetDown',
  'Watchdog',
  'InfoInhibitor',
  'PrometheusRuleFailures',
  'AlertmanagerFailedToSendAlerts',
];
/** What limits a series to one deployment. sloth gives its series an id. */
const SCOPES = ['job', 'sloth_id'];
const DASHBOARDS = ['grantex-overview', 'grantex-per-agent', 'grantex-pipeline', 'grantex-slo'];

/**
 * The expression of a watchdog. It always fires, to show that alerts work. It is no fault, so its severity is `none`.
 */
const ALWAYS = 'vector(1)';

/** Where docker-compose.yml publishes the runbooks. */
const RUNBOOKS = 'http://localhost:3000/public/runbooks/';

/** The path of an alert's runbook, from the root of the repository. */
export const runbookPath = (alert: string): string => `deploy/runbooks/${alert}.md`;

/**
 * What an alert lacks of the information that its receiver needs: severity, summary with a value, runbook and
 * dashboard.
 */
export function checkAlert(
  { alert, expr, labels = {}, annotations = {} }: AlertRule,
  known: KnownSeries,
): string[] {
  const problems: string[] = [];
  const { summary = '', description = '', runbook_url, dashboard_url = '' } = annotations;
  const severity = labels['severity'] ?? '';
  const always = expr === ALWAYS;
  if (always && severity !== 'none') problems.push('its severity is not none, though it always fires');
  if (!always && !['warning', 'critical'].includes(severity))
    problems.push('its severity is neither warning nor critical');
  if (!summary) problems.push('has no summary');
  if (!description) problems.push('has no description');
  // An `absent(…)` and a watchdog have no value.
  if (!/\{\{ *\$(value|labels)/.test(summary + description) && !always && !expr.includes('absent('))
    problems.push('neither summary nor description says a value');
  if (runbook_url !== `${RUNBOOKS}${alert}.md`)
    problems.push(`its runbook_url is not ${RUNBOOKS}${alert}.md`);
  if (OTHERS.includes(alert)) problems.push('kube-prometheus has an alert of this name');
  if (labels['service'] !== 'grantex-auth') problems.push('has no label service');
  for (const { metric, matchers } of parsePromql(expr).selectors)
    if (!matchers.some(({ label, operator }) => SCOPES.includes(label) && operator.startsWith('=')))
      problems.push(`${metric} may be of another deployment`);
  if (!DASHBOARDS.includes(/\/d\/([\w-]+)$/.exec(dashboard_url)?.[1] ?? ''))
    problems.push('its dashboard_url leads to no dashboard of ours');
  const mentioned = Array.from(
    (summary + description).matchAll(/\$labels\.(\w+)/g),
    ([, label = '']) => label,
  );
  for (const label of mentioned)
    if (!canHaveLabel(expr, label, known))
      problems.push(`tells the label "${label}", which its series do not have`);
  return problems;
}

/** Whether the result of an expression can have a label. */
function canHaveLabel(expr: string, label: string, known: KnownSeries): boolean {
  const { selectors, groupings } = parsePromql(expr);
  if (groupings.some(({ labels }) => labels.includes(label))) return true;
  return !aggregates(expr) && selectors.every(({ metric }) => known.get(metric)?.has(label));
}
