import { createHash } from 'node:crypto';
import type { Dashboard, Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard';
import { type Answer, allOf, dataOf, panelsOf, type View } from './panel-data.ts';
import { chart } from './picture-chart.ts';
import { heat } from './picture-heatmap.ts';
import { dial, rows, tiles } from './picture-values.ts';
import { type Box, element, text } from './svg.ts';

const COLUMN = 50;
const LINE = 24;
const GAP = 4;
const WIDTH = 24 * COLUMN;
const TITLE_HEIGHT = 22;
const HEAD = 44;

const BODIES: Readonly<Record<string, (panel: Panel, answers: Answer[], box: Box, view: View) => string>> = {
  timeseries: chart,
  heatmap: heat,
  stat: tiles,
  gauge: dial,
  table: rows,
};

/**
 * Identifies a state of a dashboard. A picture contains the digest of the state that it shows. No picture shows the descriptions
 * of panels, so they are not part of it.
 */
export const digestOf = (dashboard: Dashboard): string => {
  const shown = JSON.stringify(dashboard, (name, value) => (name === 'description' ? undefined : value));
  return createHash('sha256').update(shown).digest('hex').slice(0, 16);
};

/** The digest in a picture; undefined for a text without one. */
export const drawnFrom = (svg: string): string | undefined => /data-drawn-from="(\w+)"/.exec(svg)?.[1];

/** Draws a dashboard as one SVG, with the data of a Prometheus and every variable at All. */
export async function picture(dashboard: Dashboard, view: Omit<View, 'values'>): Promise<string> {
  const seen: View = { ...view, values: await allOf(dashboard, view) };
  const panels = await Promise.all(
    panelsOf(dashboard).map(async (panel) => framed(panel, await dataOf(panel, seen), seen)),
  );
  const headings = (dashboard.panels ?? [])
    .filter(({ type }) => type === 'row')
    .map((row) => heading(row as RowPanel));
  const bottom = Math.max(...(dashboard.panels ?? []).map((panel) => below(panel.gridPos)));
  const height = HEAD + bottom * LINE + GAP;
  const name = text(dashboard.title ?? '', { x: GAP * 2, y: 28, 'font-size': 18, 'font-weight': 600 });
  const svg = element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${WIDTH} ${height}`,
      width: WIDTH,
      height,
      'data-drawn-from': digestOf(dashboard),
      'font-family': 'Inter, Helvetica, Arial, sans-serif',
    },
    element('rect', { width: WIDTH, height, fill: '#f4f5f5' }) + name + headings.join('') + panels.join(''),
  );
  return `${rounded(svg)}\n`;
}

const below = (at: Panel['gridPos']): number => (at ? at.y + at.h : 0);

function framed(panel: Panel, answers: Answer[], view: View): string {
  const { x = 0, y = 0, w = 1, h = 1 } = panel.gridPos ?? {};
  const [width, height] = [w * COLUMN - GAP, h * LINE - GAP];
  const box: Box = { width, height: height - TITLE_HEIGHT };
  const body = BODIES[panel.type];
  if (!body) throw new Error(`there is no picture of a panel of the type ${panel.type}`);
  const inner = answers.some(({ series }) => series.length > 0)
    ? body(panel, answers, box, view)
    : text(panel.fieldConfig?.defaults.noValue ?? '', {
        x: box.width / 2,
        y: box.height / 2,
        'text-anchor': 'middle',
        'font-size': 12,
        fill: '#777',
      });
  return element(
    'svg',
    { x: x * COLUMN + GAP / 2, y: HEAD + y * LINE, width, height },
    element('rect', {
      x: 0.5,
      y: 0.5,
      width: width - 1,
      height: height - 1,
      rx: 3,
      fill: '#fff',
      stroke: '#d8d9da',
    }) +
      text(panel.title ?? '', { x: 8, y: 16, 'font-size': 12, 'font-weight': 600 }) +
      element('svg', { y: TITLE_HEIGHT, width: box.width, height: box.height }, inner),
  );
}

const heading = ({ title, gridPos }: RowPanel): string =>
  text(title ?? '', { x: GAP * 2, y: HEAD + (gridPos?.y ?? 0) * LINE + 17, 'font-size': 13, fill: '#555' });

/**
 * Rounds numbers to a tenth of a pixel and removes what the chart library adds for the mouse. This leaves a third of
 * the size.
 */
const rounded = (svg: string): string =>
  svg.replaceAll(/<style.*?<\/style>|<defs.*?<\/defs>|\n/gs, '').replaceAll(/<[^>]+>/g, (tag) =>
    tag
      .replaceAll(
        / (?:pointer-events|xml:space|class|clip-path|baseProfile|version|xmlns:xlink)="[^"]*"/g,
        '',
      )
      .replace(/ style="font[^"]*?(\d+)px[^"]*"/, ' font-size="$1"')
      .replaceAll(/\d+\.\d{2,}/g, (digits) => String(Number(Number(digits).toFixed(1)))),
  );
