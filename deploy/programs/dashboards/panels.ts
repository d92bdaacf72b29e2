import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  AxisPlacement,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  GraphDrawStyle,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  type DataTransformerConfig,
  type DynamicConfigValue,
  FieldColorBuilder,
  FieldColorModeId,
  type Panel,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as GaugeBuilder } from '@grafana/grafana-foundation-sdk/gauge';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { runbookUrl } from './alerts.ts';
import type { Signal } from './signals.ts';
import { DATA_SOURCE } from './variables.ts';

export interface Query {
  readonly expr: string;
  /** The name of a line. It may contain labels as `{{label}}`. */
  readonly legend?: string;
  /** Shows dots that link to traces. */
  readonly exemplar?: boolean;
}

export interface PanelOptions {
  readonly title: string;
  /** What the panel shows and what to do about it. */
  readonly description: string;
  readonly unit: string;
  /** In columns; a dashboard has 24. */
  readonly width: number;
  readonly height?: number;
  readonly queries: readonly Query[];
  /** The alert on these values. The panel draws its limits and links its runbook. */
  readonly signal?: Signal;
  /** How many units of the panel are one unit of the alert. */
  readonly scale?: number;
  /** Further alerts whose runbooks are linked. */
  readonly runbooks?: readonly string[];
  readonly links?: readonly Link[];
  /** The lower end of the axis: 0 by default; null: the smallest value. */
  readonly min?: number | null;
  readonly max?: number;
  readonly decimals?: number;
  /** The text to show when there is no value. */
  readonly noValue?: string;
}

interface Link {
  readonly title: string;
  readonly url: string;
}

/** Lines over time. `look: 'bars'` draws stacked bars, for counts of events instead of rates. */
export function graph(options: PanelOptions & { readonly look?: 'lines' | 'bars' }): Builder<Panel> {
  const bars = options.look === 'bars';
  const panel = dress(new TimeseriesBuilder(), { height: 8, min: 0, ...options }, false)
    .drawStyle(bars ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .lineWidth(bars ? 0 : 1)
    .fillOpacity(bars ? 80 : 8)
    .showPoints(VisibilityMode.Never)
    .axisPlacement(AxisPlacement.Auto)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['lastNotNull', 'max']),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (bars)
    panel
      .stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
      // A bar covers at least a minute. The rate interval is four scrapes, so shorter bars would overlap and count
      // twice.
      .interval('1m');
  if (options.signal)
    panel
      .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed))
      // The first limit is always visible.
      .axisSoftMax(options.signal.warning * (options.scale ?? 1) * 1.1);
  for (const [index, query] of options.queries.entries()) panel.withTarget(target(query, index).range());
  return panel;
}

/** One current number, coloured by the alert's limits. */
export function stat(options: PanelOptions): Builder<Panel> {
  const panel = dress(new StatBuilder(), { height: 4, ...options }, true)
    .colorMode(options.signal ? BigValueColorMode.Background : BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.None)
    .textMode(options.queries.length > 1 ? BigValueTextMode.ValueAndName : BigValueTextMode.Value)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false));
  for (const [index, query] of options.queries.entries()) panel.withTarget(target(query, index).instant());
  return panel;
}

/** One current share of a whole, with the alert's limits on the rim. */
export function gauge(options: PanelOptions): Builder<Panel> {
  const panel = dress(new GaugeBuilder(), { height: 8, ...options }, true)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .showThresholdMarkers(true)
    .showThresholdLabels(false);
  for (const [index, query] of options.queries.entries()) panel.withTarget(target(query, index).instant());
  return panel;
}

export interface Column extends Query {
  /** The heading of the column. */
  readonly title: string;
  readonly unit: string;
  readonly decimals?: number;
  /** Colours the cells by the alert's limits. */
  readonly signal?: Signal;
  readonly scale?: number;
}

/** Current values: one row for each value of the label `by`, one column for each query. */
export function table(
  options: Omit<PanelOptions, 'queries' | 'unit'> & {
    /** The label, its heading, and the link of its cells. */
    readonly by: { readonly label: string; readonly title: string; readonly link?: Link };
    readonly columns: readonly Column[];
  },
): Builder<Panel> {
  const { by, columns } = options;
  const panel = dress(new TableBuilder(), { height: 8, ...options, unit: 'none', queries: columns }, true);
  const ids = columns.map((_, index) => refId(index));
  columns.forEach((column, index) => {
    const id = ids[index] ?? '';
    panel.withTarget(target(column, index).instant().format(PromQueryFormat.Table));
    const name = columns.length > 1 ? `Value #${id}` : 'Value';
    panel.overrideByName(name, columnLook(column));
  });
  panel.overrideByName(by.label, [
    { id: 'displayName', value: by.title },
    ...(by.link ? [{ id: 'links', value: [by.link] }] : []),
  ]);
  for (const transformation of joinedBy(by.label, ids)) panel.withTransformation(transformation);
  return panel;
}

function columnLook(column: Column): DynamicConfigValue[] {
  return [
    { id: 'displayName', value: column.title },
    { id: 'unit', value: column.unit },
    ...(column.decimals === undefined ? [] : [{ id: 'decimals', value: column.decimals }]),
    ...(column.signal
      ? [
          { id: 'thresholds', value: limits(column.signal, column.scale).build() },
          { id: 'custom.cellOptions', value: { type: 'color-text' } },
        ]
      : []),
  ];
}

const joinedBy = (label: string, ids: readonly string[]): DataTransformerConfig[] => [
  ...(ids.length > 1 ? [{ id: 'joinByField', options: { byField: label, mode: 'outer' } }] : []),
  {
    id: 'filterFieldsByName',
    options: { include: { names: [label, 'Value', ...ids.map((id) => `Value #${id}`)] } },
  },
  { id: 'sortBy', options: { sort: [{ field: ids.length > 1 ? 'Value #A' : 'Value', desc: true }] } },
];

/** The methods that the builders of all panel types share. */
interface Dressable {
  title(title: string): this;
  description(text: string): this;
  datasource(ref: typeof DATA_SOURCE): this;
  span(width: number): this;
  height(height: number): this;
  unit(unit: string): this;
  min(value: number): this;
  max(value: number): this;
  decimals(decimals: number): this;
  noValue(text: string): this;
  thresholds(config: Builder<ReturnType<ThresholdsConfigBuilder['build']>>): this;
  links(links: DashboardLinkBuilder[]): this;
}

function dress<P extends Dressable>(
  panel: P,
  options: PanelOptions & { readonly height: number },
  coloured: boolean,
): P {
  panel
    .title(options.title)
    .description(options.description)
    .datasource(DATA_SOURCE)
    .span(options.width)
    .height(options.height)
    .unit(options.unit)
    .noValue(options.noValue ?? 'no data')
    .links(linksOf(options));
  if (typeof options.min === 'number') panel.min(options.min);
  if (options.max !== undefined) panel.max(options.max);
  if (options.decimals !== undefined) panel.decimals(options.decimals);
  // One colour for panels without a signal. Grafana's default turns red at 80.
  const plain = new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([{ value: null, color: coloured ? 'blue' : 'green' }]);
  return panel.thresholds(options.signal ? limits(options.signal, options.scale) : plain);
}

function limits({ warning, critical, falling }: Signal, scale = 1): ThresholdsConfigBuilder {
  const [low, high] = [warning * scale, critical * scale];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(
    falling
      ? [
          { value: null, color: 'red' },
          { value: high, color: 'orange' },
          { value: low, color: 'green' },
        ]
      : [
          { value: null, color: 'green' },
          { value: low, color: 'orange' },
          { value: high, color: 'red' },
        ],
  );
}

const linksOf = ({ signal, runbooks = [], links = [] }: PanelOptions): DashboardLinkBuilder[] => [
  ...[...(signal?.alerts ?? []), ...runbooks].map((alert) => link(`Runbook: ${alert}`, runbookUrl(alert))),
  ...links.map(({ title, url }) => link(title, url)),
];

const link = (title: string, url: string) =>
  new DashboardLinkBuilder(title).type(DashboardLinkType.Link).url(url).targetBlank(true);

/** A, B, C, …: the ids by which Grafana distinguishes the queries of a panel. */
const refId = (index: number): string => String.fromCharCode('A'.charCodeAt(0) + index);

function target({ expr, legend, exemplar }: Query, index: number): DataqueryBuilder & Builder<Dataquery> {
  const query = new DataqueryBuilder().refId(refId(index)).datasource(DATA_SOURCE).expr(expr);
  if (legend !== undefined) query.legendFormat(legend);
  if (exemplar) query.exemplar(true);
  return query;
}
