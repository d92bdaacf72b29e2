import { element } from '../../dashboards/svg.ts';
import type { ShownTrace } from './readings.ts';

const WIDTH = 900;
const NAME_WIDTH = 330;
const LINE = 20;

/** Draws a trace as a waterfall: one line for each span, indented below its parent, with a bar from begin to end. */
export function waterfall({ spans }: ShownTrace): string {
  const begin = Math.min(...spans.map(({ start }) => start));
  const end = Math.max(...spans.map(({ start, duration }) => start + duration));
  const scale = (WIDTH - NAME_WIDTH - 80) / Math.max(1, end - begin);
  const lines = spans.map(({ name, depth, start, duration, failed }, index) => {
    const y = index * LINE;
    const x = NAME_WIDTH + (start - begin) * scale;
    const width = Math.max(1.5, duration * scale);
    const word = (content: string, at: number) =>
      element('text', { x: at, y: y + 14, 'font-size': 12, class: 'word' }, escaped(content));
    return (
      word(shortened(name, 44 - depth * 2), 4 + depth * 14) +
      element('rect', { x, y: y + 4, width, height: LINE - 8, rx: 2, class: failed ? 'failed' : 'span' }) +
      word(milliseconds(duration), x + width + 5)
    );
  });
  const height = spans.length * LINE;
  const label = `${spans.length} spans, ${milliseconds(end - begin)}`;
  return element(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: 'img', 'aria-label': label },
    lines.join(''),
  );
}

/** @param microseconds a duration */
export const milliseconds = (microseconds: number): string =>
  `${(microseconds / 1000).toFixed(microseconds < 10_000 ? 2 : 0)} ms`;

const shortened = (name: string, length: number): string =>
  name.length > length ? `${name.slice(0, length - 1)}…` : name;

const escaped = (raw: string): string => raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
