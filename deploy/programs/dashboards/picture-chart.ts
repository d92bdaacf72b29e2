import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { BarChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { Answer, View } from './panel-data.ts';
import { colourOf, stepsOf } from './picture-values.ts';
import type { Exemplar } from './prometheus.ts';
import { type Box, element, text } from './svg.ts';
import { format } from './units.ts';

use([BarChart, GridComponent, LineChart, MarkLineComponent, ScatterChart, SVGRenderer]);

/** Lines and dots of one panel beyond this are left out: the picture is to give an idea. */
const MOST_LINES = 5;
const MOST_DOTS = 25;
const PALETTE = ['#3a9a44', '#e0b400', '#2f6fc4', '#e8811a', '#d0303e', '#7a4fb5'];
const LEGEND_HEIGHT = 18;
const [LEFT, RIGHT] = [62, 12];

type Line = Answer['series'][number];

/** A graph panel, with its limits as dashed lines and its exemplars as dots. */
export function chart(panel: Panel, answers: Answer[], { width, height }: Box, { span }: View): string {
  const { unit = 'none', min, max } = panel.fieldConfig?.defaults ?? {};
  const custom = panel.fieldConfig?.defaults.custom as
    | { drawStyle?: string; axisSoftMax?: number }
    | undefined;
  const bars = custom?.drawStyle === 'bars';
  const all = answers.flatMap(({ series }) => series).filter(({ points }) => Number.isFinite(peak(points)));
  const shown = all.sort((a, b) => peak(b.points) - peak(a.points)).slice(0, MOST_LINES);
  const top = Math.max(custom?.axisSoftMax ?? 0, ...shown.map(({ points }) => peak(points)));
  const limits = stepsOf(panel).filter(
    ({ value }) => custom?.axisSoftMax !== undefined && value !== null && value <= top,
  );
  const times = [...new Set(shown.flatMap(({ points }) => points.map(([time]) => time)))].sort(
    (a, b) => a - b,
  );
  const barWidth = bars ? Math.max(1, ((width - LEFT - RIGHT) / times.length) * 0.8) : 0;
  const option: EChartsCoreOption = {
    animation: false,
    color: PALETTE,
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
      ...(typeof min === 'number' && { min }),
      ...(typeof max === 'number' ? { max } : custom?.axisSoftMax === top && { max: top }),
      splitNumber: 3,
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
          Number.isFinite(value) ? Number(value.toPrecision(4)) : null,
        ]),
        ...(index === 0 && limits.length > 0 && { markLine: limitLines(limits) }),
      })),
      dots(answers.flatMap(({ exemplars }) => exemplars)),
    ],
  };
  const drawn = init(null, null, { renderer: 'svg', ssr: true, width, height: height - LEGEND_HEIGHT });
  drawn.setOption(option);
  const svg = drawn.renderToSVGString();
  drawn.dispose();
  return svg + legend(shown, all.length, width, height - 6);
}

/** The slowest ones, which are those that a person clicks. */
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
    lineStyle: { color: colourOf(color), type: 'dashed', width: 1 },
  })),
});

/** One line of names: as many as fit, and how many more there are. */
function legend(shown: readonly Line[], total: number, width: number, y: number): string {
  const parts: string[] = [];
  let x = 8;
  for (const [index, { name }] of shown.entries()) {
    const label = name.replace(/\b(ag_\w{3})\w+(\w{4})\b/, '$1…$2') || 'value';
    const wide = 18 + label.length * 5.8;
    if (x + wide > width - (index + 1 < total ? 55 : 0)) break;
    parts.push(element('rect', { x, y: y - 5, width: 10, height: 3, fill: PALETTE[index] ?? '' }));
    parts.push(text(label, { x: x + 13, y, 'font-size': 9.5, fill: '#444' }));
    x += wide;
  }
  const more = total - parts.length / 2;
  if (more > 0) parts.push(text(`and ${more} more`, { x, y, 'font-size': 9.5, fill: '#777' }));
  return parts.join('');
}

const peak = (points: readonly (readonly [number, number])[]): number =>
  Math.max(Number.NEGATIVE_INFINITY, ...points.map(([, value]) => value).filter(Number.isFinite));

/** The library stacks bars by their number, not by their time: each line needs one for each time. */
const atAll = (times: readonly number[], points: Line['points']): Line['points'] => {
  const values = new Map(points);
  return times.map((time) => [time, values.get(time) ?? 0] as const);
};
