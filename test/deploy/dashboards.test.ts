import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { DASHBOARDS } from '../../deploy/programs/dashboards/generate.ts';
import { interpolate, timeValues } from '../../deploy/programs/dashboards/interpolate.ts';
import { checkQuery } from '../../deploy/programs/rules/check-query.ts';
import { knownSeries } from '../../deploy/programs/rules/known-series.ts';
import { isAlert, readRules } from '../../deploy/programs/rules/rule-files.ts';

const DIRECTORY = new URL('../../deploy/grafana/', import.meta.url);
const SOURCE = { type: 'prometheus', uid: `\${DS_PROMETHEUS}` };
/** Variables of Grafana itself, and any value for ours. */
const VALUES = {
  ...timeValues(3600, 15, 15),
  job: 'a-job',
  instance: '.+',
  pipeline: 'otel-collector|prometheus',
  agent_id: ['an-agent', 'another'],
  slo: 'a-slo',
};

/** The seven signals, and what else has two limits on a gauge or a graph. */
const DRAWN_IN_OVERVIEW = [
  'AnomaliesDetected',
  'AuthenticationFailures',
  'DatabaseConnectionsWaiting',
  'DatabaseErrors',
  'DatabaseStatementsEnded',
  'HealthCheckFailing',
  'HighAuthLatency',
  'HighRateLimitRate',
  'HighTokenExchangeFailureRate',
  'HighTokenRefreshFailureRate',
  'SigningKeysStale',
  'WebhookDeliveryFailure',
];

// biome-ignore lint/suspicious/noExplicitAny: the files as they are, not as the code that made them says
type Json = any;

const files = (await readdir(DIRECTORY)).filter((name) => name.endsWith('-dashboard.json')).sort();
const dashboards: [string, Json][] = await Promise.all(
  files.map(
    async (file) => [file, JSON.parse(await readFile(new URL(file, DIRECTORY), 'utf8'))] as [string, Json],
  ),
);
const rules = await readRules(new URL('../../deploy/prometheus/rules/', import.meta.url));
const limits = limitsByAlert();
const known = new Map([...knownSeries(rules), ...foreignSeries()]);

test('there is a file for each dashboard, and no other', () => {
  expect(files).toEqual(
    Object.keys(DASHBOARDS)
      .map((name) => `${name}-dashboard.json`)
      .sort(),
  );
});

test('uids and titles are unique', () => {
  for (const key of ['uid', 'title'])
    expect(new Set(dashboards.map(([, dashboard]) => dashboard[key])).size).toBe(files.length);
});

describe.each(dashboards)('%s', (file, dashboard) => {
  const panels: Json[] = dashboard.panels.filter(({ type }: Json) => type !== 'row');
  const queries = panels.flatMap((panel) =>
    panel.targets.map((target: Json) => ({ where: `${panel.title}: ${target.expr}`, ...target })),
  );

  test('is what the code makes', () => {
    const made = DASHBOARDS[file.replace('-dashboard.json', '')]?.();
    expect(JSON.parse(JSON.stringify(made))).toEqual(dashboard);
  });

  test('is of the schema that Grafana 12 writes, with a uid that links can rely on, and no id of a database', () => {
    expect(dashboard.schemaVersion).toBe(42);
    expect(dashboard.uid).toBe(`grantex-${file.replace('-dashboard.json', '')}`);
    expect(dashboard).not.toHaveProperty('id');
    expect(dashboard.description).toMatch(/\.$/);
  });

  test('reads from the data source of the variable alone', () => {
    const refs = Array.from(findAll(dashboard, 'datasource'));
    expect(refs.length).toBeGreaterThan(panels.length);
    for (const ref of refs) expect(ref).toEqual(SOURCE);
    for (const { where, datasource } of queries) expect(datasource, where).toEqual(SOURCE);
  });

  test('rows and panels have ids of their own, panels have titles of their own', () => {
    const ids = dashboard.panels.map(({ id }: Json) => id);
    expect(ids).toEqual(ids.map((_: unknown, index: number) => index + 1));
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  });

  test('no panel covers another or leaves the grid, and no row has holes', () => {
    const cells = new Set<string>();
    for (const { gridPos, title } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x} ${y}`), `${title} at ${x} ${y}`).toBe(false);
          cells.add(`${x} ${y}`);
        }
      }
    }
    const height = Math.max(...dashboard.panels.map(({ gridPos }: Json) => gridPos.y + gridPos.h));
    expect(cells.size).toBe(24 * height);
  });

  test.each(panels.map((panel) => [panel.title, panel]))(
    '%s says what it shows and what to do',
    (_, panel) => {
      expect(panel.description.length).toBeGreaterThan(40);
      expect(panel.description).toMatch(/[.?)]$/);
      expect(panel.fieldConfig.defaults.unit).toMatch(/^\w+$/);
      expect(panel.fieldConfig.defaults.noValue).toMatch(/\w/);
      expect(panel.fieldConfig.defaults.thresholds.steps[0]).toHaveProperty('value', null);
      expect(panel.targets.length).toBeGreaterThan(0);
      const ids = panel.targets.map(({ refId }: Json) => refId);
      expect(ids).toEqual([...'ABCDEFGHIJ'].slice(0, ids.length));
    },
  );

  test.each(queries.map(({ where, expr }) => [where, expr]))('%s', (_, expr) => {
    expect(checkQuery(interpolate(expr, VALUES), known)).toEqual([]);
  });

  test('variables are filled from labels that exist, and all of them and several can be chosen', () => {
    const [source, ...others] = dashboard.templating.list;
    expect(source).toMatchObject({ name: 'DS_PROMETHEUS', type: 'datasource', query: 'prometheus' });
    const [runbooks, pipeline, ...queried] = others;
    expect(pipeline).toMatchObject({ name: 'pipeline', query: 'otel-collector|prometheus|alertmanager' });
    expect(queried.slice(0, 2)).toMatchObject([{ name: 'job' }, { name: 'instance', allValue: '.+' }]);
    expect(runbooks).toMatchObject({ name: 'runbooks', type: 'textbox', query: '/public/runbooks' });
    for (const variable of queried) {
      expect(variable).toMatchObject({ type: 'query', multi: true, includeAll: true });
      const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(variable.query.query) ?? [];
      expect(variable.query.query).toMatch(/^label_values\(/);
      for (const one of namesSpeltOut(interpolate(selector, VALUES)))
        expect(checkQuery(`count by (${label}) (${one})`, known)).toEqual([]);
      expect(JSON.stringify(panels)).toContain(`$${variable.name}`);
    }
  });

  test('limits that are drawn are those of the alerts whose runbooks are linked', () => {
    const drawn = panels.filter(
      ({ fieldConfig, links }) => links.length > 0 && stepsOf(fieldConfig.defaults).length > 1,
    );
    for (const panel of drawn) {
      const { unit } = panel.fieldConfig.defaults;
      const steps = stepsOf(panel.fieldConfig.defaults);
      const [alert = ''] = alertsLinked(panel);
      expect(steps.slice(1), panel.title).toEqual(
        steps[0]?.color === 'red'
          ? limitsOf(alert, unit, 'lower is worse')
          : limitsOf(alert, unit, 'higher is worse'),
      );
    }
    const alerts = new Set(drawn.map((panel) => alertsLinked(panel)[0]));
    if (file === 'overview-dashboard.json') expect([...alerts].sort()).toEqual(DRAWN_IN_OVERVIEW);
  });

  test('every runbook that is linked is that of an alert', () => {
    for (const panel of panels)
      for (const alert of alertsLinked(panel)) expect(limits.has(alert), alert).toBe(true);
  });

  test('what an import by hand asks for is what the panels need', () => {
    expect(dashboard['__inputs']).toMatchObject([
      { name: 'DS_PROMETHEUS', type: 'datasource', pluginId: 'prometheus' },
    ]);
    const kinds = new Set(panels.map(({ type }) => type));
    expect(dashboard['__requires'].map(({ id }: Json) => id).sort()).toEqual(
      [...kinds, 'grafana', 'prometheus'].sort(),
    );
    // Grafana's own import: every ${NAME} of an input becomes the chosen uid, and `__inputs` goes.
    const imported = JSON.stringify({ ...dashboard, __inputs: undefined }).replaceAll(
      `\${DS_PROMETHEUS}`,
      'chosen',
    );
    for (const ref of findAll(JSON.parse(imported), 'datasource'))
      expect(ref).toEqual({ type: 'prometheus', uid: 'chosen' });
    expect(imported).not.toContain('DS_PROMETHEUS}');
  });
});

interface Step {
  readonly value: number | null;
  readonly color: string;
}
const stepsOf = (defaults: Json): Step[] => defaults.thresholds.steps;

const alertsLinked = ({ links }: Json): string[] =>
  links.flatMap(({ url }: Json) => /^\$\{runbooks:raw\}\/(\w+)\.md$/.exec(url)?.[1] ?? []);

/** The steps of a panel as the rules have them: shares as such, seconds in the panel's unit. */
function limitsOf(alert: string, unit: string, direction: 'higher is worse' | 'lower is worse'): Step[] {
  const { warning, critical, operator } = limits.get(alert) ?? {};
  if (warning === undefined || critical === undefined) throw new Error(`${alert} has no two limits`);
  const shown = (limit: number) => {
    if (operator === '>' && direction === 'lower is worse') return 1 - limit;
    return unit === 'ms' ? limit * 1000 : limit;
  };
  return direction === 'higher is worse'
    ? [
        { value: shown(warning), color: 'orange' },
        { value: shown(critical), color: 'red' },
      ]
    : [
        { value: shown(critical), color: 'orange' },
        { value: shown(warning), color: 'green' },
      ];
}

/** A selector by a pattern of names, as one selector for each name that there is. */
function namesSpeltOut(selector: string): string[] {
  const [whole, pattern = ''] = /^\{__name__=~"([^"]+)", /.exec(selector) ?? [];
  if (whole === undefined) return [selector];
  const names = [...known.keys()].filter((name) => new RegExp(`^(?:${pattern})$`).test(name));
  expect(names.length).toBeGreaterThan(1);
  return names.map((name) => selector.replace(whole, `${name}{`));
}

/** What the alerts compare with, by name: the first comparison with a number that is not 0, or the health check's count. */
function limitsByAlert(): ReadonlyMap<string, { operator?: string; warning?: number; critical?: number }> {
  const found = new Map<string, { operator?: string; warning?: number; critical?: number }>();
  for (const { alert, expr, labels } of rules.filter(isAlert)) {
    const [, operator = '>', limit] = /([<>]=?) (\d[\d.]*)/.exec(expr) ?? [];
    // One failed probe is `probe_success == 0`.
    const value = alert === 'HealthCheckFailing' ? Number(limit ?? 1) : Number(limit);
    found.set(alert, { operator, ...found.get(alert), [labels?.['severity'] ?? '']: value });
  }
  return found;
}

/** What only dashboards look at: of Prometheus, Alertmanager and the collector themselves, and the spans' metrics. */
function foreignSeries(): [string, Map<string, null>][] {
  const ofCollector = (part: string, ...counts: string[]) =>
    counts.flatMap((count) =>
      ['spans', 'log_records', 'metric_points'].map((kind) => [
        `otelcol_${part}_${count}_${kind}_total`,
        part,
      ]),
    );
  const names = [
    ['ALERTS', 'alertname', 'alertstate', 'severity', 'sloth_slo', 'sloth_severity'],
    ['scrape_samples_scraped'],
    ['scrape_series_added'],
    ['prometheus_rule_evaluation_failures_total', 'rule_group'],
    ['prometheus_notifications_sent_total', 'alertmanager'],
    ['prometheus_notifications_dropped_total', 'alertmanager'],
    ['prometheus_tsdb_head_series'],
    ['alertmanager_notifications_total', 'integration'],
    ['alertmanager_notifications_failed_total', 'integration', 'reason'],
    ['otelcol_process_memory_rss_bytes'],
    ...ofCollector('receiver', 'accepted', 'refused'),
    ...ofCollector('exporter', 'sent', 'send_failed', 'enqueue_failed'),
  ];
  return names.map(([name = '', ...labels]) => [
    name,
    new Map(['job', 'instance', ...labels].map((label) => [label, null])),
  ]);
}

/** Every value under `key`, at any depth. */
function* findAll(value: Json, key: string): Generator<Json> {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    if (name === key) yield inner;
    yield* findAll(inner, key);
  }
}
