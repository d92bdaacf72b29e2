import type { Dashboard, Panel, VariableModel } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus';
import { interpolate, timeValues, type Values } from './interpolate.ts';
import type { Exemplar, Prometheus, Series, TimeRange } from './prometheus.ts';

/** The settings with which a dashboard is opened. */
export interface View {
  readonly prometheus: Prometheus;
  readonly span: TimeRange;
  /** The scrape interval in seconds. Grafana reads it from the settings of the data source. */
  readonly scrape: number;
  /** The values of the dashboard's own variables. */
  readonly values: Values;
}

/** One query of a panel with its result. */
export interface Answer {
  readonly query: Dataquery;
  /** The query as Prometheus received it. */
  readonly expr: string;
  readonly series: readonly (Series & { readonly name: string })[];
  /** Empty unless the query asks for exemplars. */
  readonly exemplars: readonly Exemplar[];
}

/** Runs every query of a panel, as Grafana would. */
export function dataOf(panel: Panel, view: View): Promise<Answer[]> {
  const least = panel.interval ? seconds(panel.interval) : 0;
  const span = { ...view.span, step: Math.max(view.span.step, least) };
  return Promise.all(queriesOf(panel).map((query) => answerOf(query, { ...view, span })));
}

export const queriesOf = (panel: Panel): Dataquery[] => (panel.targets ?? []) as Dataquery[];

/** The panels of a dashboard without its rows. */
export const panelsOf = ({ panels = [] }: Dashboard): Panel[] =>
  panels.filter((panel): panel is Panel => panel.type !== 'row');

async function answerOf(query: Dataquery, { prometheus, span, scrape, values }: View): Promise<Answer> {
  const expr = interpolate(query.expr, {
    ...values,
    ...timeValues(span.end - span.start, span.step, scrape),
  });
  const series = query.instant
    ? await prometheus.instant(expr, span.end)
    : await prometheus.range(expr, span);
  const exemplars = query.exemplar ? await prometheus.exemplars(expr, span) : [];
  return { query, expr, exemplars, series: series.map((one) => ({ ...one, name: legendOf(query, one) })) };
}

const legendOf = ({ legendFormat, expr }: Dataquery, { labels }: Series): string =>
  legendFormat?.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? '') ?? expr;

/** The values that a variable offers, without `All`. */
export async function offeredBy(variable: VariableModel, view: View): Promise<string[]> {
  const { query } = variable.query as { query: string };
  const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(query) ?? [];
  return view.prometheus.labelValues(label, interpolate(selector, view.values), view.span);
}

/** The variables whose values come from a query. */
export const queriedVariables = ({ templating }: Dashboard): VariableModel[] =>
  (templating?.list ?? []).filter(({ type }) => type === 'query');

/** The values of the variables that are texts. */
const writtenIn = ({ templating }: Dashboard): Values =>
  Object.fromEntries(
    (templating?.list ?? [])
      .filter(({ type, query }) => type === 'textbox' && typeof query === 'string')
      .map(({ name, query }) => [name, String(query)]),
  );

/** The values of all variables when a dashboard opens: each is at All. */
export async function allOf(dashboard: Dashboard, view: Omit<View, 'values'>): Promise<Values> {
  let values: Values = writtenIn(dashboard);
  // In order, because the values of one variable may depend on those before it.
  for (const variable of queriedVariables(dashboard))
    values = {
      ...values,
      [variable.name]: variable.allValue ?? (await offeredBy(variable, { ...view, values })),
    };
  return values;
}

const seconds = (minutes: string): number => Number.parseInt(minutes, 10) * 60;
