import { expect, test } from 'vitest';
import type { Answer } from '../../deploy/programs/dashboards/panel-data.ts';
import { heatmap } from '../../deploy/programs/dashboards/panels.ts';
import { heat } from '../../deploy/programs/dashboards/picture-heatmap.ts';
import { connectPrometheus } from '../../deploy/programs/dashboards/prometheus.ts';

const VIEW = {
  prometheus: connectPrometheus('http://127.0.0.1:9'),
  span: { start: 0, end: 300, step: 60 },
  scrape: 15,
  values: {},
};

test('a cell is darker the more fell into its bucket alone, and a dot is in the row of its value', () => {
  const panel = heatmap({ title: 'T', description: 'D', unit: 's', width: 8, queries: [] }).build();
  const bucket = (le: string, ...counts: number[]) => ({
    name: le,
    labels: { le },
    points: counts.map((count, index) => [index * 60, count] as const),
  });
  const answer: Answer = {
    query: { refId: 'A' } as Answer['query'],
    expr: 'x',
    exemplars: [{ time: 60, value: 0.3, traceId: 'f' }],
    series: [bucket('+Inf', 10, 1), bucket('0.1', 9, 0), bucket('0.5', 10, 1)],
  };
  const svg = heat(panel, [answer], { width: 386, height: 120 }, VIEW);
  // Three rows of 30 pixels, the least at the bottom. 9 of 10 are the most, 1 is a ninth of it.
  expect(
    [...svg.matchAll(/<rect [^>]*y="(\d+)"[^>]*fill="(#\w+)"/g)].map(([, y, fill]) => [y, fill]),
  ).toEqual([
    ['70', '#0e3a7a'],
    ['40', '#7faee6'],
    ['40', '#7faee6'],
  ]);
  expect([...svg.matchAll(/>([^<]+)<\/text>/g)].map(([, words]) => words)).toEqual([
    '100 ms',
    '500 ms',
    'more',
  ]);
  expect(svg).toMatch(/<circle cx="134" cy="55"/);
});
