import { exposedLabels, type Family, type Kind } from '../../../src/telemetry/families/family.ts';
import { FAMILIES } from '../../../src/telemetry/families.ts';

const code = (text: string): string => `\`${text}\``;

/** The types of families in the exposition. */
const TYPES: Record<Kind, string> = {
  counter: 'counter',
  histogram: 'histogram',
  observableCounter: 'counter',
  observableGauge: 'gauge',
  observableUpDownCounter: 'gauge',
};

/** The table of docs/metrics.md: every family with its type, its labels and their values, and its meaning. */
export function familiesTable(families: readonly Family[] = FAMILIES): string {
  const rows = families.map((family) => {
    const cells = [code(family.name), typeOf(family), labelsOf(family), meaningOf(family)];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['', '| family | type, unit | labels | meaning |', '|---|---|---|---|', ...rows, ''].join('\n');
}

const typeOf = ({ kind, unit }: Family): string => `${TYPES[kind]}, ${code(unit)}`;

function labelsOf(family: Family): string {
  const labels = exposedLabels(family).map(({ name, values = [], otherwise }) => {
    const label = code(name.replaceAll('.', '_'));
    const closed = values.join(', ');
    if (otherwise !== undefined) return `${label} ${closed || 'its value'}, or ${otherwise}`;
    return closed ? `${label} ${closed}` : label;
  });
  return labels.join('; ');
}

function meaningOf({ help, note, boundaries, perAgent }: Family): string {
  const parts = [
    help.replace(/[^.]$/, '$&.'),
    note,
    boundaries && `Buckets: ${boundaries.join(' ')}.`,
    perAgent && `By agent: ${code(perAgent.name)}.`,
  ];
  return parts.filter((part) => part !== undefined).join(' ');
}
