import type { Dashboard, Panel, VariableModel } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus';
import { interpolate, timeValues, type Values } from './interpolate.ts';
import type { Prometheus, Series, Span } from './prometheus.ts';

/** What a dashboard is looked at with. */
export interface View {
  readonly prometheus: Prometheus;
  readonly span: Span;
  /** Scrape interval, seconds: Grafana has it from the settings of the data source. */
  readonly scrape: number;
  /** Of the dashboard's own variables. */
  readonly values: Values;
}

/** One query of a panel and what it brought. */
export interface Answer {
  readonly query: Dataquery;
  /** As Prometheus was asked. */
  readonly expr: string;
  readonly series: readonly (Series & { readonly name: string })[];
}

/** Asks every query of a panel, as Grafana would. */
export function dataOf(panel: Panel, view: View): Promise<Answer[]> {
  return Promise.all(queriesOf(panel).map((query) => answerOf(query, view)));
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
  return { query, expr, series: series.map((one) => ({ ...one, name: legendOf(query, one) })) };
}

const legendOf = ({ legendFormat, expr }: Dataquery, { labels }: Series): string =>
  legendFormat?.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? '') ?? expr;

/** The values that a variable offers, `All` not among them. */
export async function offeredBy(variable: VariableModel, view: View): Promise<string[]> {
  const { query } = variable.query as { query: string };
  const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(query) ?? [];
  return view.prometheus.labelValues(label, interpolate(selector, view.values), view.span);
}

/** The variables that are filled by a query. */
export const queriedVariables = ({ templating }: Dashboard): VariableModel[] =>
  (templating?.list ?? []).filter(({ type }) => type === 'query');

/** Every variable at All, as the dashboards open. */
export const ofAll = (dashboard: Dashboard): Values =>
  Object.fromEntries(queriedVariables(dashboard).map(({ name, allValue }) => [name, allValue ?? '.+']));
