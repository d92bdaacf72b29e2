import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { expect, test } from 'vitest';
import { checkDashboard, checkSameColours } from '../../deploy/programs/dashboards/check-dashboard.ts';
import { colourOfSeries } from '../../deploy/programs/dashboards/colours.ts';
import { dashboard, type ImportableDashboard } from '../../deploy/programs/dashboards/dashboard.ts';
import { DASHBOARDS, problems } from '../../deploy/programs/dashboards/generate.ts';
import { graph, heatmap } from '../../deploy/programs/dashboards/panels.ts';
import { perSecond, quantile, series } from '../../deploy/programs/dashboards/queries.ts';
import { colourOf } from '../../deploy/programs/dashboards/series-colours.ts';
import { knownSeries } from '../../deploy/programs/rules/known-series.ts';

const KNOWN = knownSeries([]);
const OPTIONS = { title: 'P', description: 'D', unit: 'ops', width: 8 };
const EXCHANGES = perSecond(series('grantex_token_exchange_total'), 'status');

const withPanels = (...panels: Builder<Panel>[]): ImportableDashboard =>
  dashboard({ name: 'x', title: 'x', description: 'D.', rows: [{ title: 'R', panels }] });
const wrongIn = (...queries: Parameters<typeof graph>[0]['queries']) =>
  checkDashboard(withPanels(graph({ ...OPTIONS, queries })), KNOWN);
/** The dashboard as its file, so that a test can break it. */
const broken = (built: ImportableDashboard, from: string, to: string): ImportableDashboard =>
  JSON.parse(JSON.stringify(built).replaceAll(from, to));

test('our dashboards break no rule', async () => {
  expect(await problems()).toEqual([]);
});

test('failures are red, successes green and warnings amber, by a fixed colour in every panel', () => {
  expect(['error', 'failed', '5xx'].map(colourOfSeries)).toEqual(['red', 'red', 'red']);
  expect(['success', 'delivered', 'approved', '2xx'].map(colourOfSeries)).toEqual(Array(4).fill('green'));
  expect(['denied', '4xx', 'all'].map(colourOfSeries)).toEqual(Array(3).fill('orange'));
  const panel = graph({
    ...OPTIONS,
    queries: [{ expr: EXCHANGES, legend: '{{status}}', names: ['success', 'error'] }],
  }).build();
  expect(panel.fieldConfig?.overrides).toEqual([
    {
      matcher: { id: 'byName', options: 'success' },
      properties: [{ id: 'color', value: { mode: 'fixed', fixedColor: 'green' } }],
    },
    {
      matcher: { id: 'byName', options: 'error' },
      properties: [{ id: 'color', value: { mode: 'fixed', fixedColor: 'red' } }],
    },
  ]);
  // The pictures paint alike.
  expect(colourOf(panel, 'error', 0)).toBe('#d0303e');
  expect(() => colourOfSeries('unheard of')).toThrow('no colour was chosen for the series "unheard of"');
});

test('a series without a colour of its own is a fault', () => {
  expect(wrongIn({ expr: EXCHANGES, legend: '{{status}}', names: ['success'] })).toEqual([
    'P: "error" has no colour of its own',
    'P: "error" does not look bad',
  ]);
});

test('a failure in a neutral colour is a fault, of every agent too', () => {
  const expr = perSecond(series('grantex_agent_token_exchange_total'), 'agent_id, status');
  expect(wrongIn({ expr, legend: '{{agent_id}} {{status}}' })).toEqual([
    'P: "… success" does not look good',
    'P: "… error" does not look bad',
  ]);
});

test('two series of one colour are a fault', () => {
  const built = withPanels(
    graph({ ...OPTIONS, queries: [{ expr: EXCHANGES, legend: '{{status}}', names: ['success', 'error'] }] }),
  );
  expect(checkDashboard(broken(built, '"fixedColor":"green"', '"fixedColor":"red"'), KNOWN)).toEqual([
    'P: "success" does not look good',
    'P: red is there twice',
  ]);
});

test('a palette by names is a fault', () => {
  const built = withPanels(graph({ ...OPTIONS, queries: [{ expr: series('up'), legend: '{{instance}}' }] }));
  expect(checkDashboard(broken(built, '"palette-classic"', '"palette-classic-by-name"'), KNOWN)).toEqual([
    'P: its colours do not come from the palette by place',
  ]);
});

test('another colour for the same series in another panel is a fault', () => {
  const built = withPanels(
    graph({ ...OPTIONS, queries: [{ expr: EXCHANGES, legend: '{{status}}', names: ['success', 'error'] }] }),
  );
  expect(checkSameColours([built])).toEqual([]);
  expect(checkSameColours([built, broken(built, '"green"', '"dark-green"')])).toEqual([
    'success has several colours: green, dark-green',
  ]);
});

test('a query that is not of the chosen deployment is a fault', () => {
  expect(wrongIn({ expr: 'count(up == 0)', legend: '{{instance}}' })).toEqual([
    'P: up is not of the chosen deployment',
  ]);
  const unscoped = broken(withPanels(), '"name":"instance"', '"name":"replica"');
  expect(checkDashboard(unscoped, KNOWN)).toEqual(['has no variable $instance']);
});

test.each(['grantex_authorize', 'grantex_token_exchange', 'grantex_http_request'])(
  'lines and heatmaps of %s ask for exemplars',
  (family) => {
    const expr = quantile(0.99, `${family}_duration_seconds`);
    const buckets = `sum by (le) (rate(${series(`${family}_duration_seconds_bucket`)}[5m]))`;
    const built = withPanels(
      graph({ ...OPTIONS, queries: [{ expr, legend: 'p99' }] }),
      heatmap({ ...OPTIONS, title: 'H', queries: [{ expr: buckets, legend: '{{le}}' }] }),
    );
    expect(checkDashboard(built, KNOWN)).toEqual([]);
    expect(checkDashboard(broken(built, '"exemplar":true', '"exemplar":false'), KNOWN)).toEqual([
      `P: asks for no exemplars: ${expr}`,
      `H: asks for no exemplars: ${buckets}`,
    ]);
  },
);

test('the health check says words', () => {
  const [health] = (DASHBOARDS['overview']?.().panels ?? []).filter(({ title }) => title === 'Health check');
  expect((health as Panel).fieldConfig?.defaults.mappings).toMatchObject([
    { type: 'range', options: { from: 0, to: 0, result: { text: 'OK' } } },
    { type: 'range', options: { from: 1, to: 2, result: { text: 'failing' } } },
    { type: 'range', options: { from: 3, to: null, result: { text: 'down' } } },
  ]);
});
