import { parse, stringify } from 'yaml';
import type { AlertRule, Rule } from './rule-files.ts';

/** What differs from one installation to another. Everything else of the rules is the same everywhere. */
export interface Installation {
  /** The scrape jobs of the service: one for each deployment. That of its health check has `-health` behind it. */
  readonly jobs: readonly string[];
  /** Labels of every alert, such as `service`, `team`, `namespace` and `cluster`. One with an empty value is left out. */
  readonly labels: Readonly<Record<string, string>>;
  /** Where Grafana is, such as `https://grafana.example.com`. */
  readonly grafanaUrl: string;
  /** Where the files of deploy/runbooks can be read. */
  readonly runbooksUrl: string;
}

/** The installation of the committed rules: that of docker-compose.yml. */
export const COMMITTED: Installation = {
  jobs: ['grantex-auth'],
  labels: { service: 'grantex-auth' },
  grafanaUrl: 'http://localhost:3000',
  runbooksUrl: 'http://localhost:3000/public/runbooks',
};

const JOB = 'grantex-auth';
const SLOTH_NAME = /(sloth_id(?:="|: )|sloth_service(?:="|: ))grantex-auth/g;

/** The text of a committed file of rules, for another installation. */
export function renderRules(text: string, installation: Installation): string {
  const [one = JOB, ...more] = installation.jobs;
  // Two sets of rules on one Prometheus must not share the names that sloth gives.
  const named = more.length > 0 ? text : text.replaceAll(SLOTH_NAME, `$1${one}`);
  const file = parse(named) as { groups: { rules: Rule[] }[] };
  const groups = file.groups.map((group) => ({
    ...group,
    rules: group.rules.map((rule) => renderRule(rule, installation)),
  }));
  return stringify({ groups }, { lineWidth: 0 });
}

function renderRule(rule: Rule, installation: Installation): Rule {
  const expr = renderExpression(rule.expr, installation.jobs);
  if (rule.alert === undefined) return { ...rule, expr };
  const { labels, annotations } = rule as AlertRule;
  const set = Object.entries({ ...labels, ...installation.labels }).filter(([, value]) => value !== '');
  return {
    ...rule,
    expr,
    labels: Object.fromEntries(set),
    annotations: {
      ...annotations,
      runbook_url: moved(annotations?.['runbook_url'], COMMITTED.runbooksUrl, installation.runbooksUrl),
      dashboard_url: moved(annotations?.['dashboard_url'], COMMITTED.grafanaUrl, installation.grafanaUrl),
    },
  };
}

const moved = (url = '', from: string, to: string): string => url.replace(from, to.replace(/\/$/, ''));

/**
 * The expression for other jobs. `absent` has the labels of equalities only, so an expression with it is repeated for
 * each job.
 */
function renderExpression(expr: string, jobs: readonly string[]): string {
  if (expr.includes('absent('))
    return jobs.map((job) => expr.replaceAll(`job="${JOB}"`, `job="${job}"`)).join('\n  or ');
  return expr.replaceAll(/job(=~?)"([^"]*)"/g, (_, operator: string, value: string) => {
    const names = value.split('|').flatMap((name) => {
      if (name === JOB) return jobs;
      return name === `${JOB}-health` ? jobs.map((job) => `${job}-health`) : [name];
    });
    return names.length === 1 ? `job${operator}"${names[0]}"` : `job=~"${names.join('|')}"`;
  });
}
