import { globSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';

const ROOT = new URL('../../../', import.meta.url);
const RULES = 'deploy/prometheus/rules/';
const RULE_TESTS = 'deploy/prometheus/rule-tests/';
const DRILLS = ['test/stack/drills/*.ts', 'test/stack/drills.test.ts'];

interface RuleFile {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert?: string;
      readonly labels?: { readonly severity?: string };
      readonly annotations?: { readonly summary?: string };
    }[];
  }[];
}
interface Alert {
  readonly name: string;
  readonly file: string;
  /** By severity. */
  readonly summaries: Readonly<Record<string, string>>;
}
/** The least severe comes first. */
const SEVERITIES = ['none', 'warning', 'critical'];

const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');
const filesOf = (patterns: string | string[]) =>
  globSync(patterns, { cwd: ROOT })
    .toSorted()
    .map((path) => ({ path, text: read(path) }));
const code = (text: string): string => `\`${text}\``;

/** Every alert of the rule files once, in alphabetical order. */
function alertsOf(files: readonly { readonly path: string; readonly text: string }[]): Alert[] {
  const found = new Map<string, Alert>();
  for (const { path, text } of files)
    for (const { alert, labels, annotations } of (parse(text) as RuleFile).groups.flatMap(
      ({ rules }) => rules,
    )) {
      if (alert === undefined) continue;
      const severity = labels?.severity ?? '';
      if (!SEVERITIES.includes(severity)) throw new Error(`${alert}: no such severity`);
      const summaries = { ...found.get(alert)?.summaries, [severity]: annotations?.summary ?? '' };
      found.set(alert, { name: alert, file: path, summaries });
    }
  return [...found.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** A summary with the names of its labels in place of their values, and N in place of its value. */
const withoutTemplates = (summary: string): string =>
  summary
    .replaceAll(/\{\{ *\$labels\.(\w+)[^}]*\}\}/g, (_, label: string) => `*${label}*`)
    .replaceAll(/\{\{ *\$value[^}]*\}\}/g, 'N')
    .replaceAll(/\s+/g, ' ')
    .trim();

/** The table of docs/metrics.md: every alert, what it says at its least severe, its runbook, and the files of its rule, rule test and drill. */
export function alertsTable(): string {
  const tests = filesOf(`${RULE_TESTS}*.yml`);
  const drills = filesOf(DRILLS);
  const short = (path: string, directory: string) => code(path.replace(directory, ''));
  const rows = alertsOf(filesOf(`${RULES}*.yml`)).map(({ name, file, summaries }) => {
    const severities = SEVERITIES.filter((severity) => severity in summaries);
    const test = tests.filter(({ text }) => new RegExp(`alertname: *${name}\\b`).test(text));
    // A drill names its alert as an argument or as a key; a text that lists alerts is none.
    const drill = drills.find(({ text }) => new RegExp(`(?:'${name}'|\\b${name}:)`).test(text));
    const cells = [
      `[${name}](../deploy/runbooks/${name}.md)`,
      withoutTemplates(summaries[severities[0] ?? ''] ?? ''),
      severities.join(', '),
      short(file, RULES),
      test.map(({ path }) => short(path, RULE_TESTS)).join(', '),
      drill ? short(drill.path, 'test/stack/') : '',
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [
    '',
    '| alert and its runbook | says | severity | rule | rule test | drill |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
