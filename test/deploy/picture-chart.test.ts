import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { expect, test } from 'vitest';
import type { Answer, View } from '../../deploy/programs/dashboards/panel-data.ts';
import { graph } from '../../deploy/programs/dashboards/panels.ts';
import { chart } from '../../deploy/programs/dashboards/picture-chart.ts';
import { placeLegend } from '../../deploy/programs/dashboards/picture-legend.ts';
import { connectPrometheus } from '../../deploy/programs/dashboards/prometheus.ts';

const BOX = { width: 396, height: 166 };
const VIEW: View = {
  prometheus: connectPrometheus('http://127.0.0.1:9'),
  span: { start: 0, end: 300, step: 60 },
  scrape: 15,
  values: {},
};

const panelOf = (options: object): Panel =>
  graph({
    title: 'T',
    description: 'D',
    unit: 'none',
    width: 8,
    queries: [],
    noValue: 'none',
    ...options,
  }).build();

const answer = (series: Record<string, number[]>): Answer => ({
  query: { refId: 'A' } as Answer['query'],
  expr: 'x',
  exemplars: [],
  series: Object.entries(series).map(([name, values]) => ({
    name,
    labels: {},
    points: values.map((value, index) => [index * 60, value] as const),
  })),
});

const draw = (options: object, series: Record<string, number[]>) =>
  chart(panelOf(options), [answer(series)], BOX, VIEW);

/** Advance widths of DejaVu Sans, in parts of the size of the font. */
const WIDTHS: Readonly<Record<string, number>> = {
  a: 0.613,
  g: 0.635,
  _: 0.5,
  '0': 0.636,
  M: 0.863,
  '…': 1,
  W: 0.989,
};
const measured = (label: string) =>
  9.5 * [...label].reduce((sum, character) => sum + (WIDTHS[character] ?? Number.NaN), 0);

test.each([196, 396, 596, 1196])('names of a legend %i pixels wide do not overlap', (width) => {
  const names = Array.from({ length: 6 }, (_, index) => `ag_0MM0000000000WM${index % 2 ? 'M0' : 'WM'}`);
  const { entries, more } = placeLegend(names, 40, width);
  const placed = [...entries, ...(more ? [more] : [])];
  expect(placed.length).toBeGreaterThan(1);
  for (const [index, { x, right, row, label }] of placed.entries()) {
    const next = placed[index + 1];
    if (index < entries.length) expect(x + 13 + measured(label)).toBeLessThanOrEqual(right);
    expect(right).toBeLessThanOrEqual(width);
    if (next?.row === row) expect(next.x).toBeGreaterThan(right);
  }
});

test('every series is named in the picture or counted', () => {
  const series = Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [`line ${index}`, [index + 1, 2]]),
  );
  const svg = draw({}, { ...series, 'never a number': [Number.NaN] });
  const named = [...svg.matchAll(/>line \d+</g)].length;
  const drawn = [...svg.matchAll(/<path [^>]*stroke-width="1.2"/g)].length;
  expect(named).toBeGreaterThan(3);
  expect(drawn).toBe(named);
  expect(svg).toContain(`>and ${21 - named} more<`);
});

test('the picture of a budget has the series with the least left', () => {
  const full = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`full ${index}`, [1, 1]]));
  expect(draw({ min: null, max: 1 }, { ...full, spent: [1, -0.7] })).toContain('>spent<');
});

test('words stand for bars that are all 0, and no bar of the height 0 is drawn', () => {
  const bars = (svg: string) => [...svg.matchAll(/<path [^>]*fill="#7eb26d"/g)].length;
  const none = draw({ look: 'bars' }, { faults: [0, 0, 0] });
  expect(none).toContain('>0 all the time<');
  expect(bars(none)).toBe(0);
  const some = draw({ look: 'bars' }, { faults: [0, 3, 0] });
  expect(some).not.toContain('all the time');
  expect(bars(some)).toBe(1);
});
