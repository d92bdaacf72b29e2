import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('..', import.meta.url);
const PAGE = readFileSync(new URL('docs/package-internals.md', ROOT), 'utf8');
const rows = PAGE.split('\n')
  .filter((line) => line.startsWith('|'))
  .slice(2)
  .map((line) => line.split('|').map((cell) => cell.trim()));

/** What code looks like that reaches into a package: members that begin with "_", prototypes, listeners of others, the environment. */
const HOLD =
  /\._[a-z]\w*|\b_[a-z]\w*\(|readonly _[a-z]\w*[?:]|\.prototype\.|removeAllListeners|process\.off\('exit', listener|delete process\.env|as unknown as \{/i;

function codeFiles(): string[] {
  return ['src', 'instrumentation'].flatMap((folder) =>
    readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `${folder}/${file}`),
  );
}

test('the page names every file that holds on to the inside of a package, and no other', () => {
  const isComment = (line: string) => /^\s*(?:\/\/|\*|\/\*)/.test(line);
  const holding = codeFiles().filter((file) =>
    readFileSync(new URL(file, ROOT), 'utf8')
      .split('\n')
      .some((line) => !isComment(line) && HOLD.test(line)),
  );
  const named = rows.map(([, , file = '']) => file.replaceAll('`', ''));
  expect(holding.sort()).toEqual([...new Set(named)].sort());
});

test('each is held by a test that exists', () => {
  expect(rows.length).toBeGreaterThan(3);
  for (const row of rows) {
    const path = (row[5] ?? '').replaceAll('`', '');
    expect(existsSync(new URL(path, ROOT)), path).toBe(true);
  }
});
