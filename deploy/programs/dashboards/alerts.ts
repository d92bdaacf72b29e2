import { isAlert, readRules } from '../rules/rule-files.ts';

const rules = await readRules(new URL('../../prometheus/rules/', import.meta.url));

/** Names of all alerts that Prometheus is given, in alphabetical order; but for the watchdog, which always fires. */
export const ALERT_NAMES: readonly string[] = [
  ...new Set(
    rules
      .filter(isAlert)
      .filter(({ labels }) => labels?.['severity'] !== 'none')
      .map(({ alert }) => alert),
  ),
].sort();

/** Our alerts that fire: alone of all that a shared Prometheus may have. */
export const FIRING = `ALERTS{alertstate="firing", alertname=~"${ALERT_NAMES.join('|')}"}`;

/**
 * Where a person reads the runbook of an alert: below the variable `runbooks`, for only who runs it knows where the files of
 * deploy/runbooks can be read. Throws for an alert that does not exist.
 */
export function runbookUrl(alert: string): string {
  if (!ALERT_NAMES.includes(alert)) throw new Error(`there is no alert ${alert}`);
  return `\${runbooks:raw}/${alert}.md`;
}
