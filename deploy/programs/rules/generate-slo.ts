import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { binary } from '../../../test/stack/binaries/build.ts';
import { readOptions } from '../command-line.ts';

const SPECIFICATIONS = new URL('slo/', import.meta.url);
const RULES = new URL('../../prometheus/rules/', import.meta.url);

/**
 * The rules that sloth makes from each specification, by the name of their file in `rules/`. Builds sloth when it is
 * missing.
 * @throws when sloth refuses a specification
 */
export async function generateSloRules(): Promise<ReadonlyMap<string, string>> {
  const sloth = await binary('sloth');
  const made = new Map<string, string>();
  for (const name of (await readdir(SPECIFICATIONS)).sort()) {
    const input = fileURLToPath(new URL(name, SPECIFICATIONS));
    const { stdout } = await promisify(execFile)(sloth, ['--no-log', 'generate', '--input', input]);
    made.set(`slo-${name}`, stdout);
  }
  return made;
}

/** The committed rules, in the same form. */
export async function committedSloRules(): Promise<ReadonlyMap<string, string>> {
  const files = (await readdir(RULES)).filter((name) => name.startsWith('slo-')).sort();
  return new Map(
    await Promise.all(
      files.map(async (name) => [name, await readFile(new URL(name, RULES), 'utf8')] as const),
    ),
  );
}

const USAGE = `usage: npm run slo

Writes the rules in deploy/prometheus/rules/slo-*.yml anew from the objectives in deploy/programs/rules/slo.
`;

if (import.meta.main) {
  readOptions(USAGE, {});
  for (const [name, text] of await generateSloRules()) await writeFile(new URL(name, RULES), text);
}
