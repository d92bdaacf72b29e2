import { FAMILIES } from '../../../instrumentation/catalogue.ts';

const code = (text: string): string => `\`${text}\``;

/** The table of docs/metrics.md: every family of the exposition, its labels with their values, and what it says. */
export function familiesTable(): string {
  const rows = FAMILIES.map(({ name, labels, help, perAgent }) => {
    const shown = labels.map((label) => {
      const exposed = code(label.name.replaceAll('.', '_'));
      return label.values ? `${exposed} ${label.values.join(', ')}` : exposed;
    });
    const twin = perAgent ? ` By agent: ${code(perAgent.name)}.` : '';
    return `| ${code(name)} | ${shown.join('; ')} | ${help ?? 'Semantic conventions of OpenTelemetry.'}${twin} |`;
  });
  return ['', '| family | labels | meaning |', '|---|---|---|', ...rows, ''].join('\n');
}
