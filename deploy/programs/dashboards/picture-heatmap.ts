import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { paint } from './colours.ts';
import type { Answer, View } from './panel-data.ts';
import { type Box, element, text } from './svg.ts';
import { format } from './units.ts';

const [LEFT, RIGHT, TOP, BOTTOM] = [74, 12, 10, 20];
const MOST_DOTS = 25;
/** From few to many. */
const BLUES = ['#e3eefb', '#b5d0f2', '#7faee6', '#4a84e0', '#1f5bb5', '#0e3a7a'] as const;

/** A heatmap panel: a row for each bucket, darker where more fell into it, with its exemplars as dots. */
export function heat(panel: Panel, answers: Answer[], { width, height }: Box, { span }: View): string {
  const { unit = 's' } = panel.fieldConfig?.defaults ?? {};
  const rows = ownCounts(answers.flatMap(({ series }) => series));
  const most = Math.max(0, ...rows.flatMap(({ counts }) => [...counts.values()]));
  const tall = (height - TOP - BOTTOM) / Math.max(1, rows.length);
  const plot = width - LEFT - RIGHT;
  const x = (time: number) => LEFT + ((time - span.start) / (span.end - span.start)) * plot;
  const y = (row: number) => height - BOTTOM - (row + 1) * tall;
  const wide = Math.max(1, (plot * span.step) / (span.end - span.start) - 1);
  const cells = rows.flatMap(({ counts }, row) =>
    [...counts]
      .filter(([time, count]) => count > 0 && x(time) + 1 >= LEFT)
      .map(([time, count]) =>
        element('rect', {
          x: Math.min(x(time), width - RIGHT - wide),
          y: y(row),
          width: wide,
          height: Math.max(1, tall - 1),
          fill:
            BLUES[Math.min(BLUES.length - 1, Math.floor(Math.sqrt(count / most) * BLUES.length))] ?? BLUES[0],
        }),
      ),
  );
  const labels = rows.map(({ upTo }, row) =>
    text(Number.isFinite(upTo) ? format(upTo, unit) : 'more', {
      x: LEFT - 6,
      y: y(row) + tall / 2 + 3,
      'text-anchor': 'end',
      'font-size': 9,
      fill: '#555',
    }),
  );
  const dots = answers
    .flatMap(({ exemplars }) => exemplars)
    .sort((a, b) => b.value - a.value)
    .slice(0, MOST_DOTS)
    .map(({ time, value }) => {
      const row = rows.findIndex(({ upTo }) => value <= upTo);
      return element('circle', { cx: x(time), cy: y(row) + tall / 2, r: 2.5, fill: paint('orange') });
    });
  return [...cells, ...labels, ...dots].join('');
}

/** The buckets contain each other. This takes from each the ones within it. */
function ownCounts(series: Answer['series']) {
  const buckets = series
    .map(({ labels, points }) => ({
      upTo: Number(labels['le'] === '+Inf' ? 'Infinity' : labels['le']),
      points,
    }))
    .sort((a, b) => a.upTo - b.upTo);
  return buckets.map(({ upTo, points }, index) => {
    const within = new Map(buckets[index - 1]?.points);
    return {
      upTo,
      counts: new Map(points.map(([time, count]) => [time, Math.max(0, count - (within.get(time) ?? 0))])),
    };
  });
}
