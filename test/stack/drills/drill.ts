import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { queriesOf } from '../../../deploy/programs/rules/check-runbook.ts';
import { waitFor } from '../../support/service.ts';
import type { Prometheus } from '../pipeline/prometheus.ts';
import type { Fault } from './faults.ts';

interface Notified {
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The alerts that Alertmanager has sent to the sink so far. */
export async function notified(sink: string): Promise<Notified[]> {
  const bodies = (await (await fetch(`${sink}/alerts`)).json()) as { alerts: Notified[] }[];
  return bodies.flatMap(({ alerts }) => alerts);
}

/** The severities of an alert that fire now. */
export async function firing(
  prometheus: Prometheus,
  { alert, labels }: Pick<Fault, 'alert' | 'labels'>,
): Promise<string[]> {
  const matchers = Object.entries({ alertname: alert, alertstate: 'firing', ...labels });
  const text = matchers.map(([name, value]) => `${name}="${value}"`).join(', ');
  const found = await prometheus.query(`ALERTS{${text}}`);
  return found.map((one) => one.labels['severity'] ?? '').sort();
}

const FIRE_MS = 90_000;
const CLEAR_MS = 120_000;
const REPOSITORY = new URL('../../../', import.meta.url);

/** The result of a drill. The times are in seconds from the beginning and from the end of the fault. */
export type Outcome = Readonly<
  Record<'fault' | 'alert' | 'warning' | 'critical' | 'told' | 'cleared', string>
>;

/**
 * Causes a fault of the service and ends it. The alert must fire with each of its severities, and arrive at the sink
 * with the address of its runbook, whose queries must work. After the end of the fault the alert must resolve, also at
 * the sink.
 */
export async function drill(
  fault: Fault,
  { prometheus, sink }: { prometheus: Prometheus; sink: string },
): Promise<Outcome> {
  const begun = performance.now();
  const severities: readonly string[] = fault.severities ?? ['warning', 'critical'];
  const since = (start: number) => `${((performance.now() - start) / 1000).toFixed(0)} s`;
  /** The first notification of the fault from an index of the list on, and the index after it. */
  const notificationOf = async (status: Notified['status'], from: number) => {
    const list = await notified(sink);
    const place = list.findIndex(
      (one, index) =>
        index >= from &&
        one.status === status &&
        one.labels['alertname'] === fault.alert &&
        one.labels['severity'] === severities.at(-1) &&
        Object.entries(fault.labels).every(([name, value]) => one.labels[name] === value),
    );
    const annotations = list[place]?.annotations;
    return annotations && { annotations, next: place + 1, after: since(begun) };
  };
  const fires = async (severity: string) =>
    severities.includes(severity)
      ? waitFor(
          async () => ((await firing(prometheus, fault)).includes(severity) ? since(begun) : undefined),
          FIRE_MS,
        )
      : '';

  // The start of the service may have caused alerts already.
  const before = (await notified(sink)).length;
  const end = await fault.begin();
  let warning: string;
  let critical: string;
  let arrived: Awaited<ReturnType<typeof notificationOf>> & object;
  try {
    [warning, critical, arrived] = await Promise.all([
      fires('warning'),
      fires('critical'),
      waitFor(() => notificationOf('firing', before), FIRE_MS),
    ]);
    const runbook = arrived.annotations['runbook_url'] ?? 'none';
    expect(runbook).toBe(`http://localhost:3000/public/runbooks/${fault.alert}.md`);
    expect(arrived.annotations['dashboard_url']).toMatch(/\/d\/grantex-overview$/);
    await tryQueries(
      await readFile(new URL(`deploy/runbooks/${fault.alert}.md`, REPOSITORY), 'utf8'),
      prometheus,
    );
  } finally {
    await end();
  }

  const ended = performance.now();
  await waitFor(async () => ((await firing(prometheus, fault)).length === 0 ? true : undefined), CLEAR_MS);
  await waitFor(() => notificationOf('resolved', arrived.next), CLEAR_MS);
  return {
    fault: fault.name,
    alert: fault.alert,
    warning,
    critical,
    told: arrived.after,
    cleared: since(ended),
  };
}

/**
 * The queries of the runbook work. While its alert fires, the first query and the query for the alert have a result.
 */
async function tryQueries(markdown: string, prometheus: Prometheus): Promise<void> {
  const queries = queriesOf(markdown);
  const answers = await Promise.all(queries.map((query) => prometheus.query(query)));
  expect(answers[0], queries[0]).not.toEqual([]);
  const firingNow = queries.findIndex((query) => query.startsWith('ALERTS'));
  expect(answers[firingNow], queries[firingNow]).not.toEqual([]);
}

/** The results as a table for people. */
export function tableOf(outcomes: readonly Outcome[]): string {
  const heads: Outcome = {
    fault: 'fault',
    alert: 'alert',
    warning: 'warning after',
    critical: 'critical after',
    told: 'at the sink after',
    cleared: 'over after its end',
  };
  const keys = Object.keys(heads) as (keyof Outcome)[];
  const rows = [heads, ...outcomes];
  const widths = keys.map((key) => Math.max(...rows.map((row) => row[key].length)));
  return rows
    .map((row) =>
      keys
        .map((key, column) => row[key].padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
