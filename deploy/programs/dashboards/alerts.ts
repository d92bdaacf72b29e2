import { isAlert, readRules } from '../rules/rule-files.ts';

const rules = await readRules(new URL('../../prometheus/rules/', import.meta.url));

/** The names of all alerts in alphabetical order, without the watchdog, which always fires. */
export const ALERT_NAMES: readonly string[] = [
  ...new Set(
    rules
      .filter(isAlert)
      .filter(({ labels }) => labels?.['severity'] !== 'none')
      .map(({ alert }) => alert),
  ),
].sort();

/** Selects the firing alerts of the chosen deployments and of the pipeline. A shared Prometheus has those of others, too. */
export const FIRING = `ALERTS{alertstate="firing", alertname=~"${ALERT_NAMES.join('|')}", job=~"\${job}(-health)?|$pipeline"}`;

/**
 * The address of an alert's runbook. It begins with the variable `runbooks`, because only the operator knows where the
 * files of deploy/runbooks are published. Throws for an alert that does not exist.
 */
export function runbookUrl(alert: string): string {
  if (!ALERT_NAMES.includes(alert)) throw new Error(`there is no alert ${alert}`);
  return `\${runbooks:raw}/${alert}.md`;
}
