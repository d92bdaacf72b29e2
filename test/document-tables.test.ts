import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { alertsTable } from '../deploy/programs/documents/alerts.ts';
import { architecturePicture, importsOfModules } from '../deploy/programs/documents/architecture.ts';
import { allowedImports } from '../deploy/programs/documents/rules-of-imports.ts';
import { FAMILIES } from '../src/telemetry/families.ts';

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

  test('names the module of every route, and no other', () => {
    const routes = globSync('src/*/routes.ts', { cwd: ROOT }).flatMap((file) =>
      Array.from(read(file).matchAll(/path: (?:'([^']+)'|`([^`]+)`)/g), ([, plain, template]) => ({
        module: file.split('/')[1] ?? '',
        path: plain ?? (template ?? '').replace(/\$\{verb\}/, 'approve'),
      })),
    );
    expect(routes.length).toBeGreaterThan(40);
    const rows = table(page, '| routes | module |').flatMap(([paths, module]) =>
      quoted(paths).map((pattern) => ({ pattern, module: quoted(module)[0] })),
    );
    const matches = (pattern: string, path: string) =>
      pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
    for (const { path, module } of routes) {
      const found = rows.filter(({ pattern }) => matches(pattern, path)).map((row) => row.module);
      expect([...new Set(found)], path).toEqual([module]);
    }
    const unused = rows.filter(({ pattern }) => !routes.some(({ path }) => matches(pattern, path)));
    expect(unused).toEqual([]);
  });

  test('has every part of src in its table, with what it may import', () => {
    const rows = new Map(table(page, '| part | is |').map(([part, , imports]) => [quoted(part)[0], imports]));
    expect([...rows.keys()]).toEqual([...allowedImports().keys()]);
    const parts = readdirSync(new URL('src', ROOT), { withFileTypes: true });
    const folders = parts.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    expect([...rows.keys()]).toEqual(expect.arrayContaining([...folders, 'app', 'service', 'main']));
    expect(rows.get('base')).toBe('  ');
    expect(rows.get('db')).toBe(' `base`, `database-url`, `telemetry` ');
    expect(rows.get('consent')).toBe(' the foundation, `authorization`, `pages` ');
    expect(rows.get('database-source')).toBe(' `base`, `config`, `db`, `embedded-postgres` ');
  });

  test('says of every metric where it is declared', () => {
    const place = page.slice(page.indexOf('### A metric'), page.indexOf('### An alert'));
    const missing = FAMILIES.filter(({ name }) => !place.includes(`\`${name}\``)).map(({ name }) => name);
    // Those of Node and V8 are named by their beginning.
    expect(missing.filter((name) => !/^(nodejs|v8js)_/.test(name))).toEqual([]);
    expect(place).toMatch(
      /`db_client_connection_wait_seconds` \| `[^|]*clients\.ts` \| `[^|]*database\.ts` \|/,
    );
  });

  test('its picture shows every module', () => {
    const svg = architecturePicture();
    for (const module of importsOfModules().keys()) expect(svg).toContain(`>${module}</text>`);
    const modules = globSync('src/*/routes.ts', { cwd: ROOT }).map((file) => file.split('/')[1]);
    expect([...importsOfModules().keys()]).toEqual(expect.arrayContaining(modules));
  });
});

/** Their rule tests alone prove them. The list may only get shorter: a new alert comes with its drill. */
const WITHOUT_DRILL = [
  'AnomaliesDetected',
  'AuthorizeAvailabilityBudgetBurn',
  'AuthorizeLatencyBudgetBurn',
  'CollectorLosingTelemetry',
  'CollectorQueueFilling',
  'ExchangeAvailabilityBudgetBurn',
  'ExchangeLatencyBudgetBurn',
  'GrantexWatchdog',
  'MetricsMissing',
  'MonitoringFailing',
  'RedisUnavailable',
  'RetentionBehind',
  'SigningKeyMissing',
  'SigningKeyOld',
  'SigningKeysStale',
  'TelemetryDropped',
  'TelemetryFaults',
  'VerifyAvailabilityBudgetBurn',
  'VerifyLatencyBudgetBurn',
  'WebhookQueueStuck',
];

test('every alert has a drill, except those of the list', () => {
  const rows = table(read('docs/metrics.md'), '| alert and its runbook |');
  const without = rows.filter(([, , , , , drill]) => quoted(drill).length === 0);
  expect(without.map(([name = '']) => /^ \[(\w+)\]/.exec(name)?.[1])).toEqual(WITHOUT_DRILL);
});

test('the list of alerts has every alert, with its runbook and its rule test, and leads from two to their files', () => {
  const rows = table(read('docs/metrics.md'), '| alert and its runbook |');
  const rules = globSync('deploy/prometheus/rules/*.yml', { cwd: ROOT }).map(read).join('\n');
  const alerts = new Set(Array.from(rules.matchAll(/- alert: (\w+)/g), ([, name = '']) => name));
  const listed = rows.map(([name = '']) => /^ \[(\w+)\]/.exec(name)?.[1]);
  expect(listed).toEqual([...alerts].toSorted());
  // Every alert is tested in one file.
  for (const [name, , , rule, ruleTest] of rows)
    expect([quoted(rule).length, quoted(ruleTest).length], name).toEqual([1, 1]);
  const lines = alertsTable().split('\n');
  const row = (name: string) => lines.find((line) => line.startsWith(`| [${name}]`));
  expect(row('WebhookQueueStuck')).toBe(
    '| [WebhookQueueStuck](../deploy/runbooks/WebhookQueueStuck.md) | A webhook delivery has been due for N | warning, critical | `absence.yml` | `queue.yml` |  |',
  );
  expect(row('DatabaseConnectionsWaiting')).toBe(
    '| [DatabaseConnectionsWaiting](../deploy/runbooks/DatabaseConnectionsWaiting.md) | Requests at *instance* wait for a database connection | warning, critical | `database.yml` | `database-connections.yml` | `drills/held-lock.ts` |',
  );
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

/** A program makes it; git ignores it. */
const MADE_LATER = ['test/load/results'];

test('each file and folder that a document names exists', () => {
  const named = DOCUMENTS.filter((page) => page !== 'CHANGELOG.md').flatMap((page) =>
    Array.from(
      read(page).matchAll(/`((?:src|instrumentation|deploy|test|docs|otel-collector)\/[\w./-]*)`/g),
      ([, path = '']) => ({ page, path }),
    ),
  );
  expect(named.length).toBeGreaterThan(100);
  const missing = named.filter(({ path }) => !existsSync(new URL(path, ROOT)) && !MADE_LATER.includes(path));
  expect(missing).toEqual([]);
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
