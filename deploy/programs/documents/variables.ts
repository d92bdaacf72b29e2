import { STANDARD_VARIABLES } from '../../../instrumentation/standard-variables.ts';
import { VARIABLE_GROUPS } from '../../../src/variables/table.ts';
import type { Variable } from '../../../src/variables/variable.ts';

const LINE_LENGTH = 118;

const variablesOf = (group: { readonly variables: object }): Variable[] => Object.values(group.variables);

/** Breaks a text into lines of comment. */
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

/** `.env.example`: every variable, commented out, under what it means. */
export function environmentExample(): string {
  const own = VARIABLE_GROUPS.map((group) =>
    [
      `# == ${group.title}`,
      ...variablesOf(group).flatMap(({ name, defaultText, text }) => [
        ...comment(text.replaceAll('`', '')),
        `#${name}=${defaultText ?? ''}`,
      ]),
    ].join('\n'),
  );
  const standard = [
    '# == OpenTelemetry',
    ...comment(
      'The standard variables, each with its default. Without an endpoint nothing is sent anywhere.',
    ),
    ...STANDARD_VARIABLES.flatMap(({ name, defaultText, text }) => [
      ...(text === '' ? [] : comment(text)),
      `#${name}=${defaultText}`,
    ]),
  ].join('\n');
  return `${[HEAD.join('\n'), ...own, standard].join('\n\n')}\n`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
const shown = (text: string | null): string => (text === null ? 'unset' : `\`${cell(text)}\``);

/** The tables of docs/configuration.md, one for each topic. */
export function variablesTable(): string {
  const tables = VARIABLE_GROUPS.map((group) =>
    [
      `### ${group.title}\n`,
      '| variable | default | meaning |',
      '|---|---|---|',
      ...variablesOf(group).map(
        ({ name, defaultText, text }) => `| \`${name}\` | ${shown(defaultText)} | ${cell(text)} |`,
      ),
    ].join('\n'),
  );
  const standard = [
    '### OpenTelemetry\n',
    '| variable | default | meaning |',
    '|---|---|---|',
    ...STANDARD_VARIABLES.map(
      ({ name, defaultText, text }) =>
        `| \`${name}\` | ${defaultText === '' ? 'unset' : `\`${defaultText}\``} | ${cell(text)} |`,
    ),
  ].join('\n');
  return `\n${[...tables, standard].join('\n\n')}\n`;
}
