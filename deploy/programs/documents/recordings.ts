import { globSync, readFileSync } from 'node:fs';
import type { Family } from '../../../src/telemetry/families/family.ts';
import { SERVICE_FAMILIES } from '../../../src/telemetry/families.ts';

const ROOT = new URL('../../../', import.meta.url);
const CATALOGUE = 'src/telemetry/families/';

const read = (path: string) => ({ path, text: readFileSync(new URL(path, ROOT), 'utf8') });
const filesOf = (patterns: string[]) => globSync(patterns, { cwd: ROOT }).toSorted().map(read);
const code = (text: string): string => `\`${text}\``;

/**
 * The table of docs/architecture.md: where each family that the service records is declared, and where it is recorded. A
 * file records a family when it uses the family's instrument, by the name that the instrument has in the code.
 */
export function recordingsTable(): string {
  const catalogue = filesOf([`${CATALOGUE}*.ts`]);
  const sources = filesOf(['src/telemetry/*.ts', 'instrumentation/*.ts']);
  const groups = new Map<string, string[]>();
  for (const [instrument, { name }] of Object.entries<Family>(SERVICE_FAMILIES)) {
    const declared = catalogue.filter(({ text }) => text.includes(`name: '${name}'`));
    const recorded = sources.filter(({ text }) => new RegExp(`\\b${instrument}\\b`).test(text));
    if (declared.length !== 1 || recorded.length === 0) throw new Error(`where is ${name}?`);
    const cells = [declared, recorded].map((files) => files.map(({ path }) => code(path)).join(', '));
    const group = cells.join(' | ');
    groups.set(group, [...(groups.get(group) ?? []), code(name)]);
  }
  const rows = [...groups].map(([files, names]) => `| ${names.join(', ')} | ${files} |`);
  return ['', '| metrics | declared in | recorded in |', '|---|---|---|', ...rows, ''].join('\n');
}
