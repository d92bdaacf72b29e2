import { STANDARD_VARIABLES } from '../../../src/variables/opentelemetry.ts';
import { VARIABLE_GROUPS } from '../../../src/variables/table.ts';
import type { Variable } from '../../../src/variables/variable.ts';

const LINE_LENGTH = 118;

/** Every variable by topic. The standard ones of OpenTelemetry come last. */
const TOPICS: readonly { readonly title: string; readonly variables: readonly Variable[] }[] = [
  ...VARIABLE_GROUPS.map(({ title, variables }) => ({
    title,
    variables: Object.values<Variable>(variables),
  })),
  { title: 'OpenTelemetry', variables: STANDARD_VARIABLES },
];

/** Breaks a text into comment lines. */
function comment(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > LINE_LENGTH) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

const HEAD = comment(
  'Every variable that the service reads, with its default. An empty value counts as unset. Copied to .env it is read by the npm scripts; a variable of the real environment wins.',
);

/** `.env.example`: every variable, commented out, below its explanation. */
export function environmentExample(): string {
  const topics = TOPICS.map(({ title, variables }) =>
    [
      `# == ${title}`,
      ...variables.flatMap(({ name, defaultText, text }) => [
        ...comment(text.replaceAll('`', '')),
        `#${name}=${defaultText ?? ''}`,
      ]),
    ].join('\n'),
  );
  return `${[HEAD.join('\n'), ...topics].join('\n\n')}\n`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
const shown = (text: string | null): string => (text === null ? 'unset' : `\`${cell(text)}\``);

/** The tables of docs/configuration.md, one for each topic. */
export function variablesTable(): string {
  const tables = TOPICS.map(({ title, variables }) =>
    [
      `### ${title}\n`,
      '| variable | default | meaning |',
      '|---|---|---|',
      ...variables.map(
        ({ name, defaultText, text }) => `| \`${name}\` | ${shown(defaultText)} | ${cell(text)} |`,
      ),
    ].join('\n'),
  );
  return `\n${tables.join('\n\n')}\n`;
}
