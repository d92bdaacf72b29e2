import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { BarChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { paint } from './colours.ts';
import type { Answer, View } from './panel-data.ts';
import { drawLegend, placeLegend } from './picture-legend.ts';
import { stepsOf } from './picture-values.ts';
import type { Exemplar } from './prometheus.ts';
import { colourOf } from './series-colours.ts';
import { type Box, text } from './svg.ts';
import { format } from './units.ts';

use([BarChart, GridComponent, LineChart, MarkLineComponent, ScatterChart, SVGRenderer]);

/** A panel draws at most this many lines and dots. The legend counts the lines left out. */
const MOST_LINES = 6;
const MOST_DOTS = 25;
const [LEFT, RIGHT] = [74, 12];

type Line = Answer['series'][number];

/** A graph panel, with its limits as dashed lines and its exemplars as dots. */
export function chart(panel: Panel, answers: Answer[], { width, height }: Box, { span }: View): string {
  const { unit = 'none', min, max } = panel.fieldConfig?.defaults ?? {};
  const custom = panel.fieldConfig?.defaults.custom as
    | { drawStyle?: string; axisSoftMax?: number }
    | undefined;
  const bars = custom?.drawStyle === 'bars';
  const all = answers.flatMap(({ series }) => series);
  const ranked = worstFirst(all, panel).slice(0, MOST_LINES);
  const names = placeLegend(
    ranked.map(({ name }) => name),
    all.length,
    width,
  );
  const shown = ranked.slice(0, names.entries.length);
  const colours = shown.map((line) => colourOf(panel, line.name, all.indexOf(line)));
  const top = Math.max(custom?.axisSoftMax ?? 0, ...shown.map(({ points }) => peak(points)));
  const limits = stepsOf(panel).filter(
    ({ value }) => custom?.axisSoftMax !== undefined && value !== null && value <= top,
  );
  const times = [...new Set(shown.flatMap(({ points }) => points.map(([time]) => time)))].sort(
    (a, b) => a - b,
  );
  const plot = width - LEFT - RIGHT;
  const barWidth = Math.max(1, (plot * stepOf(times, span.step) * 0.8) / (span.end - span.start));
  const option: EChartsCoreOption = {
    animation: false,
    color: colours,
    grid: { left: LEFT, right: RIGHT, top: 10, bottom: 22 },
    xAxis: {
      type: 'time',
      min: span.start * 1000,
      max: span.end * 1000,
      axisLabel: { fontSize: 9, hideOverlap: true, formatter: '{HH}:{mm}' },
      splitNumber: 4,
    },
    yAxis: {
      type: 'value',
      splitNumber: 3,
      ...(typeof min === 'number' && { min }),
      ...(typeof max === 'number' ? upTo(max, shown) : custom?.axisSoftMax === top && { max: top }),
      axisLabel: {
        fontSize: 9,
        showMaxLabel: max !== undefined,
        formatter: (value: number) => format(value, unit),
      },
    },
    series: [
      ...shown.map(({ points }, index) => ({
        type: bars ? 'bar' : 'line',
        ...(bars && { stack: 'all', barWidth }),
        symbol: 'none',
        lineStyle: { width: 1.2 },
        data: (bars ? atAll(times, points) : points).map(([time, value]) => [
          time * 1000,
          Number.isFinite(value) && !(bars && value === 0) ? Number(value.toPrecision(4)) : null,
        ]),
        ...(index === 0 && limits.length > 0 && { markLine: limitLines(limits) }),
      })),
      dots(answers.flatMap(({ exemplars }) => exemplars)),
    ],
  };
  const drawn = init(null, null, { renderer: 'svg', ssr: true, width, height: height - names.height });
  drawn.setOption(option);
  const svg = drawn.renderToSVGString();
  drawn.dispose();
  const words =
    bars && shown.length > 0 && top <= 0 ? nothing(LEFT + plot / 2, (height - names.height) / 2) : '';
  return svg + words + drawLegend(names, height, colours);
}

/** Bars of the height 0 cannot be seen, and an empty panel looks like a fault of the picture. */
const nothing = (x: number, y: number): string =>
  text('0 all the time', { x, y, 'text-anchor': 'middle', 'font-size': 12, fill: '#777' });

/**
 * The lines that matter most come first. A panel with an upper end and no lower one shows what is left of a budget: there, the
 * lowest line is the worst. Lines without a value come last: nothing of them can be drawn.
 */
function worstFirst(lines: readonly Line[], panel: Panel): Line[] {
  const { min, max } = panel.fieldConfig?.defaults ?? {};
  const budget = typeof max === 'number' && typeof min !== 'number';
  const badness = ({ points }: Line) => (budget ? -trough(points) : peak(points));
  const drawable = lines.filter(({ points }) => Number.isFinite(peak(points)));
  return drawable.sort((a, b) => badness(b) - badness(a));
}

/** An axis that ends at `max`, with labels at equal distances. It goes below 0 by whole parts of `max` when a line does. */
function upTo(max: number, lines: readonly Line[]) {
  const least = Math.min(0, ...lines.map(({ points }) => trough(points)).filter(Number.isFinite));
  if (least === 0) return { max, interval: max / 4 };
  const half = Math.ceil((max - least) / (2 * max)) * max;
  return { min: max - 2 * half, max, interval: half };
}

/** Seconds between two bars. */
const stepOf = (times: readonly number[], ofOne: number): number =>
  times.length < 2 ? ofOne : Math.min(...times.slice(1).map((time, index) => time - (times[index] ?? 0)));

/** The slowest ones: a person clicks these. */
const dots = (exemplars: readonly Exemplar[]) => ({
  type: 'scatter',
  symbol: 'diamond',
  symbolSize: 6,
  itemStyle: { color: '#7a4fb5' },
  data: [...exemplars]
    .sort((a, b) => b.value - a.value)
    .slice(0, MOST_DOTS)
    .map(({ time, value }) => [time * 1000, value]),
});

const limitLines = (limits: readonly { value: number | null; color: string }[]) => ({
  silent: true,
  symbol: 'none',
  label: { show: false },
  data: limits.map(({ value, color }) => ({
    yAxis: value,
    lineStyle: { color: paint(color), type: 'dashed', width: 1 },
  })),
});

const peak = (points: Line['points']): number =>
  Math.max(Number.NEGATIVE_INFINITY, ...points.map(([, value]) => value).filter(Number.isFinite));

const trough = (points: Line['points']): number =>
  Math.min(Number.POSITIVE_INFINITY, ...points.map(([, value]) => value).filter(Number.isFinite));

/** The library stacks bars by their number and not by their time, so each line needs one bar for each time. */
const atAll = (times: readonly number[], points: Line['points']): Line['points'] => {
  const values = new Map(points);
  return times.map((time) => [time, values.get(time) ?? 0] as const);
};
