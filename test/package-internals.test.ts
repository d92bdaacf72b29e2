import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('..', import.meta.url);
const PAGE = readFileSync(new URL('docs/package-internals.md', ROOT), 'utf8');

/** What code looks like that reaches into a package. */
const HOLDS: readonly RegExp[] = [
  // Members whose name begins with "_": used, declared or implemented.
  /\._[a-z]/i,
  /[\w)\]]\['_[a-z]/i,
  /\b_[a-z]\w*\(/i,
  /readonly _[a-z]\w*[?:(]/i,
  // Prototypes, and functions put on the object of somebody else.
  /\.prototype\b/,
  /\bReflect\./,
  /\bObject\.(?:setPrototypeOf|defineProperty|create)\(/,
  /^\s*[a-z]\w*(?:\.\w+)*\.\w+ = (?:async )?(?:\(|function)/i,
  // Listeners that somebody else added.
  /\b(?:removeAllListeners|listeners|rawListeners)\(/,
  // Variables that a package would read.
  /\bdelete (?:process\.)?env\b/,
  // What a package's types keep to themselves, its files, and the packages that only it depends on.
  /\bas unknown as\b/,
  /\bfrom '(?:@[a-z0-9-]+\/)?[a-z0-9-]+\/(?:dist|lib|build|src|internal)\//,
  /\bcreateRequire\(|\bimport\.meta\.resolve\(/,
];

const isHold = (line: string): boolean =>
  !/^\s*(?:\/\/|\*|\/\*)/.test(line) && HOLDS.some((hold) => hold.test(line));

interface Row {
  readonly packageName: string;
  readonly file: string;
  /** The texts in code type of what is held. */
  readonly held: readonly string[];
  readonly test: string;
}

/** A text names a hold only if it looks like one. A common word such as "worker" would excuse half of a file. */
const namesHold = (text: string): boolean => isHold(text) || /^_\w+$/.test(text);

const codeIn = (cell: string): string[] => Array.from(cell.matchAll(/`([^`]+)`/g), ([, code = '']) => code);
const rows: readonly Row[] = PAGE.split('\n')
  .filter((line) => line.startsWith('|') && line.includes('.test.ts`'))
  .map((line) => line.split('|').slice(1, -1))
  .map((cells) => ({
    packageName: /[^\s,]+/.exec(cells[0] ?? '')?.[0] ?? '',
    file: codeIn(cells[1] ?? '').join(),
    held: codeIn(cells[2] ?? ''),
    test: codeIn(cells.at(-1) ?? '').join(),
  }));

function holdsOfCode(): { file: string; line: string }[] {
  const files = ['src', 'instrumentation', 'deploy/programs'].flatMap((folder) =>
    readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `${folder}/${file}`),
  );
  return files.flatMap((file) =>
    readFileSync(new URL(file, ROOT), 'utf8')
      .split('\n')
      .filter(isHold)
      .map((line) => ({ file, line: line.trim() })),
  );
}

/** Lines that look so and reach into nothing but our own code. */
const OURS: readonly string[] = [
  'return definition as unknown as Endpoint;',
  'const load = createRequire(import.meta.url);',
];

test('code reaches into packages only where the page says so', () => {
  const unnamed = holdsOfCode().filter(
    ({ file, line }) =>
      !OURS.includes(line) &&
      !rows.some(
        (row) => row.file === file && row.held.some((held) => namesHold(held) && line.includes(held)),
      ),
  );
  expect(unnamed).toEqual([]);
});

test('each row of the page is about code that is there, and a test that is there', () => {
  expect(rows.map(({ file }) => file)).toContain('src/http/drain.ts');
  for (const { file, test: path, held } of rows) {
    expect(existsSync(new URL(path, ROOT)), path).toBe(true);
    const code = readFileSync(new URL(file, ROOT), 'utf8');
    for (const text of held) expect(code, file).toContain(text);
  }
});

test('each row of the page is about a package that the project depends on', () => {
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(new URL('package.json', ROOT), 'utf8'),
  ) as Record<'dependencies' | 'optionalDependencies', Record<string, string>>;
  const known = ['Node.js', ...Object.keys({ ...dependencies, ...optionalDependencies })];
  for (const { packageName } of rows) expect(known).toContain(packageName);
});

describe('what counts as a hold', () => {
  test.each([
    'parts._incomingRequestFunction = replace;',
    "const message = socket['_httpMessage'];",
    '  _incomingRequestFunction(component: string): Emit;',
    '  readonly _httpServerDurationHistogram: Histogram;',
    'Object.assign(Object.create(noop), changes);',
    'NetServer.prototype.close.call(server);',
    '  server.emit = (event) => false;',
    '  exporter.export = (records, done) => send(records, done);',
    "for (const one of process.listeners('exit')) drop(one);",
    "socket.removeAllListeners('error');",
    "delete process.env['OTEL_LOG_LEVEL'];",
    '  delete env[name];',
    'const { worker: thread } = worker as unknown as { worker: Worker };',
    "import { Serializer } from '@scope/package/build/src/serializer.js';",
    'const require = createRequire(import.meta.resolve(name));',
  ])('%s', (line) => {
    expect(isHold(line)).toBe(true);
  });

  test.each([
    'const [, before, flags] = parts;',
    "import { within } from '../src/within.ts';",
    "process.off('exit', atExit);",
    '// server.prototype is not touched',
    'this.#emit = (event) => false;',
    'const later = (event) => false;',
    "const parts = boundaries ? ['_bucket', '_sum'] : [''];",
    '(_request, response) => response.end();',
  ])('not: %s', (line) => {
    expect(isHold(line)).toBe(false);
  });
});
