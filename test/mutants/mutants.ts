/**
 * `npm run mutants [-- name…]`: breaks the service on purpose, one fault at a time, and runs the tests that must notice.
 * Works on a copy of the tree. Ends with 1 when a fault goes unnoticed by a file that the catalogue names for it.
 */

import { MUTANTS } from './catalogue.ts';
import { copyTree } from './copy.ts';
import type { Mutant } from './mutant.ts';
import { type FileResult, runTests } from './run-tests.ts';

const names = process.argv.slice(2);
const unknown = names.filter((name) => !MUTANTS.some((mutant) => mutant.name === name));
if (unknown.length > 0) throw new Error(`no such mutant: ${unknown.join(', ')}`);
const chosen = MUTANTS.filter(({ name }) => names.length === 0 || names.includes(name));
const say = (line: string) => process.stdout.write(`${line}\n`);

const copy = await copyTree();
// Ctrl-C reaches the tests, too; their end is awaited below.
process.once('SIGINT', () => {
  process.exitCode = 130;
});
try {
  const files = [...new Set(chosen.flatMap(({ killedBy }) => killedBy))];
  const sick = (await runTests(copy.path, files)).filter(({ ran, failed }) => !ran || failed.length > 0);
  if (sick.length > 0) throw new Error(`these fail without a mutant: ${sick.map(describe).join('; ')}`);
  const survivors: string[] = [];
  let killed = 0;
  for (const mutant of chosen) {
    if (process.exitCode !== undefined) break;
    if (await isKilled(mutant)) killed++;
    else survivors.push(mutant.name);
  }
  say(`${killed} of ${chosen.length} killed`);
  if (survivors.length > 0) {
    say(`survived: ${survivors.join(', ')}`);
    process.exitCode = 1;
  }
} finally {
  await copy.remove();
}

async function isKilled(mutant: Mutant): Promise<boolean> {
  const heal = await copy.infect(mutant);
  try {
    const results = await runTests(copy.path, mutant.killedBy);
    // What keeps a test from running at all is a mutant that cannot live, and proves nothing.
    const killed = results.every(({ failed, ran }) => ran && failed.length > 0);
    say(`${killed ? 'killed  ' : 'SURVIVED'} ${mutant.name}`);
    for (const result of results) say(`           ${describe(result)}`);
    return killed;
  } finally {
    await heal();
  }
}

/** The share of failed tests shows a mutant that merely breaks everything. */
function describe({ file, ran, total, failed: [first, ...rest] }: FileResult): string {
  if (!ran) return `${file}: could not be run`;
  return `${file}: ${first === undefined ? 'noticed nothing' : `${rest.length + 1} of ${total}: ${first}`}`;
}
