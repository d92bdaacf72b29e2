import { element, text } from './svg.ts';

const SIZE = 9.5;
const ROWS = 2;
const ROW_HEIGHT = 14;
const LEFT = 8;
const MARK = 13;
const GAP = 10;

/** A name in the legend. `right` is where its text ends at the latest. */
interface LegendEntry {
  readonly label: string;
  readonly x: number;
  readonly right: number;
  readonly row: number;
}

export interface Legend {
  /** The names that fit, in the order of the lines. */
  readonly entries: readonly LegendEntry[];
  /** Says how many lines have no name here. */
  readonly more: LegendEntry | undefined;
  readonly height: number;
}

/**
 * Places the names of lines in at most two rows. The caller draws only the lines that got a place, so every line drawn has a
 * name. `total` counts all lines, also those that the caller never wanted to draw.
 */
export function placeLegend(names: readonly string[], total: number, width: number): Legend {
  for (let count = names.length; count >= 0; count--) {
    const labels = names.slice(0, count).map((name) => shortened(name) || 'value');
    const places = place([...labels, ...(total > count ? [`and ${total - count} more`] : [])], count, width);
    const rows = (places.at(-1)?.row ?? 0) + 1;
    if (rows <= ROWS || count === 0)
      return { entries: places.slice(0, count), more: places[count], height: rows * ROW_HEIGHT + 4 };
  }
  return { entries: [], more: undefined, height: ROW_HEIGHT + 4 };
}

/** The first `marked` labels have a coloured mark before them. */
function place(labels: readonly string[], marked: number, width: number): LegendEntry[] {
  let [x, row] = [LEFT, 0];
  return labels.map((label, index) => {
    const wide = (index < marked ? MARK : 0) + textWidth(label);
    if (x > LEFT && x + wide > width - LEFT) [x, row] = [LEFT, row + 1];
    const entry = { label, x, right: x + wide, row };
    x += wide + GAP;
    return entry;
  });
}

/**
 * @param bottom where the panel ends
 * @param colours of the lines, in their order
 */
export function drawLegend(
  { entries, more, height }: Legend,
  bottom: number,
  colours: readonly string[],
): string {
  const y = (row: number) => bottom - height + 12 + row * ROW_HEIGHT;
  const names = entries.map(
    ({ label, x, row }, index) =>
      element('rect', { x, y: y(row) - 5, width: 10, height: 3, fill: colours[index] ?? '' }) +
      text(label, { x: x + MARK, y: y(row), 'font-size': SIZE, fill: '#444' }),
  );
  if (more) names.push(text(more.label, { x: more.x, y: y(more.row), 'font-size': SIZE, fill: '#777' }));
  return names.join('');
}

const shortened = (name: string): string => name.replace(/\b(ag_\w{3})\w+(\w{4})\b/, '$1…$2');

/**
 * Pixels that a label takes at most. The font is that of the reader's machine, so this takes the widths of DejaVu Sans, which is
 * wider than Inter, Helvetica and Arial.
 */
const textWidth = (label: string): number =>
  SIZE * [...label].reduce((sum, character) => sum + widthOf(character), 0);

function widthOf(character: string): number {
  if (/[mwMW…%@]/.test(character)) return 1;
  if (/[A-Z]/.test(character)) return 0.79;
  if (/[ fijlrtI.,:;|'()/\-[\]]/.test(character)) return 0.42;
  return 0.64;
}
