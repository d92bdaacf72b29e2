import { execFile } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryDirectory } from './support/temporary-directory.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RULES = '.dependency-cruiser.cjs';

let place: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeEach(async () => {
  place = await temporaryDirectory();
});
afterEach(() => place.remove());

/** Runs the arrow check on files of its own, and returns the rules that it found broken. */
async function broken(files: Readonly<Record<string, string>>): Promise<string[]> {
  for (const name of [RULES, 'tsconfig.json']) await cp(join(ROOT, name), join(place.path, name));
  symlinkSync(join(ROOT, 'node_modules'), join(place.path, 'node_modules'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(place.path, path, '..'), { recursive: true });
    writeFileSync(join(place.path, path), text);
  }
  const cruiser = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [cruiser, 'src', '--config', RULES, '--output-type', 'json'],
    { cwd: place.path, maxBuffer: 1e8 },
  ).catch((error: { stdout: string }) => error);
  const { summary } = JSON.parse(stdout);
  return [
    ...new Set<string>(summary.violations.map(({ rule }: { rule: { name: string } }) => rule.name)),
  ].sort();
}

test('a circle between folders fails, of types alone too', async () => {
  const found = await broken({
    'src/grants/view.ts': "import type { A } from '../agents/agent.ts';\nexport type G = A;\n",
    'src/agents/agent.ts': 'export type A = string;\n',
    'src/agents/routes.ts': "import type { G } from '../grants/view.ts';\nexport type R = G;\n",
  });
  expect(found).toContain('part-grants');
  expect(found).not.toContain('part-agents');
});

test('a route that knows a store fails, and one that knows its types does not', async () => {
  const store = { 'src/agents/store.ts': 'export type Agent = string;\nexport const agents = 1;\n' };
  expect(
    await broken({
      ...store,
      'src/agents/routes.ts': "import { agents } from './store.ts';\nexport const r = agents;\n",
    }),
  ).toContain('routes-know-no-store');
});

test('a table of arrows with a circle is not a table', () => {
  const text = readFileSync(join(ROOT, RULES), 'utf8');
  const circular = text.replace('  secrets: [],', "  secrets: ['grants'],");
  expect(circular).not.toBe(text);
  const copy = join(place.path, 'rules.cjs');
  writeFileSync(copy, circular);
  const require = createRequire(import.meta.url);
  expect(() => require(copy)).toThrow(/the parts use each other: secrets → grants → .*secrets/);
});
