import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
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
  type DataTransformerConfig,
  type DynamicConfigValue,
  FieldColorBuilder,
  FieldColorModeId,
  type Panel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as GaugeBuilder } from '@grafana/grafana-foundation-sdk/gauge';
import {
  CellValuesBuilder,
  PanelBuilder as HeatmapBuilder,
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  HeatmapColorScale,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import { PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { colourOfSeries } from './colours.ts';
import {
  dress,
  type Link,
  limits,
  type PanelOptions,
  type Query,
  refId,
  target,
  type Word,
  wordsOf,
} from './panel-parts.ts';
import type { Signal } from './signals.ts';

/** Lines over time. `look: 'bars'` draws stacked bars, for counts of events instead of rates. */
export function graph(options: PanelOptions & { readonly look?: 'lines' | 'bars' }): Builder<Panel> {
  const bars = options.look === 'bars';
  const panel = dress(new TimeseriesBuilder(), { height: 8, min: 0, ...options }, false)
    .drawStyle(bars ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .lineWidth(bars ? 0 : 1)
    .fillOpacity(bars ? 80 : 8)
    .showPoints(VisibilityMode.Never)
    .axisPlacement(AxisPlacement.Auto)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic))
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
  for (const [index, query] of options.queries.entries()) {
    panel.withTarget(target(query, index).range());
    for (const name of namesOf(query)) panel.overrideByName(name, inColour('fixed', colourOfSeries(name)));
    for (const [pattern, colour] of query.shades ?? [])
      panel.overrideByRegexp(`/${pattern}/`, inColour('shades', colour));
  }
  return panel;
}

/** The names that are known: those given, or the legend itself when it contains no label. */
const namesOf = ({ names, legend }: Query): readonly string[] =>
  names ?? (legend !== undefined && !legend.includes('{{') ? [legend] : []);

const inColour = (mode: 'fixed' | 'shades', fixedColor: string): DynamicConfigValue[] => [
  { id: 'color', value: { mode, fixedColor } },
];

/** How many observations fell into each bucket of a histogram over time, with dots that link to traces. */
export function heatmap(options: PanelOptions): Builder<Panel> {
  const panel = dress(new HeatmapBuilder(), { height: 8, ...options }, false)
    .calculate(false)
    .color(
      new HeatmapColorOptionsBuilder()
        .mode(HeatmapColorMode.Scheme)
        .scheme('Blues')
        .scale(HeatmapColorScale.Exponential)
        .exponent(0.5)
        .steps(64),
    )
    .cellGap(1)
    .cellValues(new CellValuesBuilder().unit('reqps'))
    .yAxis(new YAxisConfigBuilder().unit(options.unit).axisPlacement(AxisPlacement.Left))
    .exemplarsColor('orange')
    .showLegend();
  for (const [index, query] of options.queries.entries())
    panel.withTarget(target(query, index).range().format(PromQueryFormat.Heatmap));
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
  readonly words?: readonly Word[];
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
    ...(column.words ? [{ id: 'mappings', value: wordsOf(column.words) }] : []),
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
