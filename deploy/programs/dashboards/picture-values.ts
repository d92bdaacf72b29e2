import {
  type DataTransformerConfig,
  MappingType,
  type Panel,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { paint } from './colours.ts';
import type { Answer } from './panel-data.ts';
import { type Box, element, text } from './svg.ts';
import { format } from './units.ts';

interface Step {
  readonly value: number | null;
  readonly color: string;
}

/** The limits of a panel. At each, a colour begins. */
export const stepsOf = (panel: Panel): Step[] => panel.fieldConfig?.defaults.thresholds?.steps ?? [];

/** What a panel says in place of a number. */
const wordFor = (value: number, mappings: readonly ValueMapping[] = []): string | undefined =>
  mappings
    .filter((mapping) => mapping.type === MappingType.RangeToText)
    .find(({ options: { from, to } }) => value >= (from ?? -Infinity) && value <= (to ?? Infinity))?.options
    .result.text;

const colourAt = (steps: readonly Step[], value: number): string =>
  paint(steps.findLast((step) => step.value === null || value >= step.value)?.color ?? 'green');

const lastOf = (answers: readonly Answer[]): { name: string; value: number }[] =>
  answers.flatMap(({ series }) =>
    series.map(({ name, points }) => ({ name, value: points.at(-1)?.[1] ?? Number.NaN })),
  );

/** A stat panel: one number for each query. */
export function tiles(panel: Panel, answers: Answer[], { width, height }: Box): string {
  const { unit = 'none', decimals } = panel.fieldConfig?.defaults ?? {};
  const steps = stepsOf(panel);
  const values = lastOf(answers);
  const filled = steps.length > 1;
  return values
    .map(({ name, value }, index) => {
      const colour = colourAt(steps, value);
      const shown = wordFor(value, panel.fieldConfig?.defaults.mappings) ?? format(value, unit, decimals);
      const [tile, x] = [width / values.length, (index * width) / values.length];
      const back = element('rect', {
        x: x + 4,
        y: 2,
        width: tile - 8,
        height: height - 6,
        rx: 2,
        fill: filled ? colour : '#fff',
      });
      const label =
        values.length > 1
          ? text(name, { x: x + tile / 2, y: height / 2 - 26, 'text-anchor': 'middle', 'font-size': 13 })
          : '';
      return (
        back +
        label +
        text(shown, {
          x: x + tile / 2,
          y: height / 2 + 8,
          'text-anchor': 'middle',
          'font-size': Math.min(26, (tile * 1.35) / shown.length),
          'font-weight': 600,
          fill: filled ? '#fff' : colour,
        })
      );
    })
    .join('');
}

/** A gauge panel: an arc from min to max with the limits on its rim. */
export function dial(panel: Panel, answers: Answer[], { width, height }: Box): string {
  const { unit = 'none', decimals, min = 0, max = 1 } = panel.fieldConfig?.defaults ?? {};
  const steps = stepsOf(panel);
  const value = lastOf(answers)[0]?.value ?? Number.NaN;
  const radius = Math.min(width / 2 - 16, height * 0.62);
  const [x, y] = [width / 2, height * 0.82];
  const part = (of: number) => Math.min(1, Math.max(0, (of - (min ?? 0)) / ((max ?? 1) - (min ?? 0))));
  const point = (of: number, r: number) =>
    `${x - r * Math.cos(Math.PI * of)} ${y - r * Math.sin(Math.PI * of)}`;
  const arc = (from: number, to: number, r: number, colour: string, thick: number) =>
    element('path', {
      d: `M${point(from, r)}A${r} ${r} 0 0 1 ${point(to, r)}`,
      fill: 'none',
      stroke: colour,
      'stroke-width': thick,
    });
  const rim = steps.map((step, index) => {
    const next = steps[index + 1]?.value;
    return arc(
      part(step.value ?? min ?? 0),
      next === undefined || next === null ? 1 : part(next),
      radius + 11,
      paint(step.color),
      4,
    );
  });
  return (
    arc(0, 1, radius, '#e6e7e8', 16) +
    arc(0, part(value), radius, colourAt(steps, value), 16) +
    rim.join('') +
    text(format(value, unit, decimals), {
      x,
      y: y - 6,
      'text-anchor': 'middle',
      'font-size': 24,
      'font-weight': 600,
    })
  );
}

/** A table panel. It joins the queries by the first field and uses the headings and units of the overrides. */
export function rows(panel: Panel, answers: Answer[], { width, height }: Box): string {
  const by = joinField(panel.transformations ?? []);
  const names = [...new Set(answers.flatMap(({ series }) => series.map(({ labels }) => labels[by] ?? '')))];
  const columns = answers.map((answer) => ({
    ...looks(panel, answers.length > 1 ? `Value #${answer.query.refId}` : 'Value'),
    values: new Map(
      answer.series.map(({ labels, points }) => [labels[by] ?? '', points.at(-1)?.[1] ?? Number.NaN]),
    ),
  }));
  const sorted = names.sort((a, b) => (columns[0]?.values.get(b) ?? 0) - (columns[0]?.values.get(a) ?? 0));
  const first = Math.min(330, width * 0.4);
  const at = (index: number) => first + ((index + 1) * (width - first)) / columns.length - 12;
  const head = [
    text(looks(panel, by).title, { x: 10, y: 14, 'font-size': 11, 'font-weight': 600 }),
    ...columns.map(({ title }, index) =>
      text(title, { x: at(index), y: 14, 'text-anchor': 'end', 'font-size': 11, 'font-weight': 600 }),
    ),
  ];
  const room = Math.floor((height - 20) / 18);
  const shown = sorted.slice(0, sorted.length > room ? room - 1 : room);
  const left = sorted.length - shown.length;
  const more =
    left > 0
      ? [text(`and ${left} more`, { x: 10, y: 32 + shown.length * 18, 'font-size': 11, fill: '#777' })]
      : [];
  const body = shown.flatMap((name, line) => {
    const y = 32 + line * 18;
    return [
      element('rect', { x: 6, y: y - 13, width: width - 12, height: 0.5, fill: '#d8d9da' }),
      text(name, { x: 10, y, 'font-size': 11, fill: '#2f6fc4' }),
      ...columns.map(({ values, unit, decimals, steps, words }, index) => {
        const value = values.get(name);
        if (value === undefined) return '';
        const fill = steps ? colourAt(steps, value) : '#24292e';
        return text(wordFor(value, words) ?? format(value, unit, decimals), {
          x: at(index),
          y,
          'text-anchor': 'end',
          'font-size': 11,
          fill,
        });
      }),
    ];
  });
  return [...head, ...body, ...more].join('');
}

function joinField(transformations: readonly DataTransformerConfig[]): string {
  const names: string[] =
    transformations.find(({ id }) => id === 'filterFieldsByName')?.options.include.names ?? [];
  return names[0] ?? '';
}

function looks(panel: Panel, field: string) {
  const properties =
    panel.fieldConfig?.overrides.find(({ matcher }) => matcher.options === field)?.properties ?? [];
  const of = (id: string) => properties.find((property) => property.id === id)?.value;
  return {
    title: (of('displayName') ?? field) as string,
    unit: (of('unit') ?? 'none') as string,
    decimals: of('decimals') as number | undefined,
    steps: of('thresholds')?.steps as Step[] | undefined,
    words: of('mappings') as readonly ValueMapping[] | undefined,
  };
}
