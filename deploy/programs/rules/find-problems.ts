import { readdir, readFile } from 'node:fs/promises';
import { checkAlert, runbookPath } from './check-alert.ts';
import { checkQuery } from './check-query.ts';
import { checkRunbook } from './check-runbook.ts';
import { knownSeries } from './known-series.ts';
import { type AlertRule, isAlert, readRules } from './rule-files.ts';

const RUNBOOKS = 'deploy/runbooks/';
/** Pages of what no alert tells have names in small letters. */
const WITHOUT_ALERT = /^(README|[a-z-]+)\.md$/;

/**
 * The problems of the rules and runbooks of a checkout, one sentence each. It needs only Node. The stack tests check
 * what only Prometheus can decide: types, templates, and whether an alert fires.
 * @param root of the checkout, with a slash at the end
 */
export async function findProblems(root: URL): Promise<string[]> {
  const rules = await readRules(new URL('deploy/prometheus/rules/', root));
  const known = knownSeries(rules);
  const alerts = rules.filter(isAlert);
  const files = await readdir(new URL(RUNBOOKS, root));
  const logNames = await logNamesOf(root);
  const problems: string[] = [];

  for (const rule of rules) {
    const wrong = checkQuery(rule.expr, known);
    // The check of an alert needs an expression that parses.
    if (wrong.length === 0 && isAlert(rule)) wrong.push(...checkAlert(rule, known));
    problems.push(...wrong.map((problem) => `${rule.alert ?? rule.record}: ${problem}`));
  }
  problems.push(...duplicates(alerts));

  const names = new Set(alerts.map(({ alert }) => alert));
  for (const alert of names) {
    const path = runbookPath(alert);
    if (!files.includes(`${alert}.md`)) problems.push(`${alert}: there is no ${path}`);
    else {
      const markdown = await readFile(new URL(path, root), 'utf8');
      const found = checkRunbook(markdown, { alert, known, logNames });
      problems.push(...found.map((problem) => `${path}: ${problem}`));
    }
  }
  const orphans = files.filter((file) => !WITHOUT_ALERT.test(file) && !names.has(file.replace(/\.md$/, '')));
  problems.push(...orphans.map((file) => `${RUNBOOKS}${file}: there is no such alert`));
  return problems;
}

function duplicates(alerts: readonly AlertRule[]): string[] {
  const ids = alerts.map(({ alert, labels }) => `${alert} (${labels?.['severity']})`);
  return ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `${id}: there are two`);
}

/**
 * The names of log lines in the table of docs/logs-and-traces.md. A test compares that table with the service's log.
 */
async function logNamesOf(root: URL): Promise<ReadonlySet<string>> {
  const page = await readFile(new URL('docs/logs-and-traces.md', root), 'utf8');
  const table = page.slice(page.indexOf('| `msg` |'));
  return new Set(Array.from(table.matchAll(/`([a-z_]+\.[a-z_]+)`/g), ([, name = '']) => name));
}
