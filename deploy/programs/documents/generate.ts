import { readFile, writeFile } from 'node:fs/promises';
import { readOptions } from '../command-line.ts';
import { alertsTable } from './alerts.ts';
import { architecturePicture } from './architecture.ts';
import { chartSchema } from './chart-schema.ts';
import { familiesTable } from './families.ts';
import { importsTable } from './imports.ts';
import { recordingsTable } from './recordings.ts';
import { environmentExample, variablesTable } from './variables.ts';

const ROOT = new URL('../../../', import.meta.url);

/** The files that are generated from tables of the code. Each function makes the new text from the present one. */
export const GENERATED: Readonly<Record<string, (before: string) => string>> = {
  '.env.example': environmentExample,
  'docs/configuration.md': (before) => withPart(before, 'variables', variablesTable()),
  'docs/metrics.md': (before) =>
    withPart(withPart(before, 'families', familiesTable()), 'alerts', alertsTable()),
  'docs/architecture.md': (before) =>
    withPart(withPart(before, 'recordings', recordingsTable()), 'imports', importsTable()),
  'deploy/helm/grantex-auth/values.schema.json': chartSchema,
  'docs/pictures/architecture.svg': architecturePicture,
};

/** Replaces the part between two marks. @throws when the page has no such marks */
function withPart(page: string, name: string, part: string): string {
  const [begin, end] = [`<!-- generated: ${name} -->`, `<!-- /generated: ${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`a page lacks the marks ${begin} … ${end}`);
  return `${page.slice(0, from + begin.length)}\n${part}\n${page.slice(to)}`;
}

/** The files that differ from the tables of the code, with the text that they should have. */
export async function drifted(): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const [path, make] of Object.entries(GENERATED)) {
    const before = await readFile(new URL(path, ROOT), 'utf8');
    const after = make(before);
    if (after !== before) found.set(path, after);
  }
  return found;
}

const USAGE = `usage: npm run documents -- [options]

Writes anew what follows from the tables of variables and metric families, the alerts and the rules of imports: ${Object.keys(GENERATED).join(', ')}.

  --check  writes nothing; exit code 1 when a file is not what the code says
  --help
`;

async function main(): Promise<void> {
  const { check } = readOptions(USAGE, { check: { type: 'boolean', default: false } });
  const files = await drifted();
  for (const [path, text] of files) {
    if (!check) await writeFile(new URL(path, ROOT), text);
    process.stdout.write(`${path} ${check ? 'is not what the code says: npm run documents' : 'written'}\n`);
  }
  if (check && files.size > 0) process.exitCode = 1;
}

if (import.meta.main) await main();
