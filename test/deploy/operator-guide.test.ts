import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readDemoOptions } from '../../deploy/programs/demo/options.ts';
import { FAMILIES } from '../../src/telemetry/families.ts';
import { ROOT, readText, readYaml } from './compose-file.ts';

const GUIDE = readText('deploy/README.md');

/** The part below a heading, as far as the next one. */
function section(title: string): string {
  const text = GUIDE.split(/^## /m).find((part) => part.startsWith(`${title}\n`));
  if (!text) throw new Error(`deploy/README.md has no section ${title}`);
  return text;
}

test('every family of the catalogue is in the table, once, and nothing else is', () => {
  const rows = section('What the metrics say').match(/^\| `.*$/gm) ?? [];
  const named = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name),
  );
  const families = FAMILIES.flatMap(({ name, perAgent }) => (perAgent ? [name, perAgent.name] : [name]));
  expect(named.toSorted()).toEqual(families.toSorted());
  for (const row of rows) expect(row.split('|')[2]?.trim(), row).toMatch(/^[A-Z].*\?/);
});

describe('what it names is there', () => {
  test('paths', () => {
    const rows = GUIDE.slice(0, GUIDE.indexOf('\n## ')).match(/^\| `.*$/gm) ?? [];
    const paths = rows.flatMap((row) =>
      [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, path]) => path),
    );
    expect(paths.length).toBeGreaterThan(8);
    const links = [...GUIDE.matchAll(/\]\(([^)#]+)/g)].map(([, path]) => path);
    const texts = [...GUIDE.matchAll(/`((?:alertmanager|grafana|helm|prometheus)\/[\w./-]+)`/g)].map(
      ([, path]) => path,
    );
    for (const path of [...paths, ...links, ...texts])
      expect(existsSync(join(ROOT, 'deploy', path ?? '-')), path).toBe(true);
  });

  test('npm scripts, and options of the demo', () => {
    const { scripts } = JSON.parse(readText('package.json'));
    const named = [...GUIDE.matchAll(/npm run ([\w:-]+)/g)].map(([, script]) => script ?? '');
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
    const [, options = ''] = /npm run demo -- (.*)/.exec(GUIDE) ?? [];
    expect(readDemoOptions(options.split(' ')).drills).toEqual(['bad-codes', 'anomalies']);
  });

  test('alerts', () => {
    const rules = ['signals', 'absence', 'database', 'security']
      .map((name) => readText(`deploy/prometheus/rules/${name}.yml`))
      .join('');
    for (const alert of [
      'AnomaliesDetected',
      'AuthenticationFailures',
      'DatabaseConnectionsWaiting',
      'DatabaseStatementsEnded',
      'HighTokenExchangeFailureRate',
      'SigningKeyOld',
    ]) {
      expect(GUIDE).toContain(`\`${alert}\``);
      expect(rules).toContain(`alert: ${alert}\n`);
    }
  });

  test('addresses that compose publishes', () => {
    const ports = [...GUIDE.matchAll(/http:\/\/localhost:(\d+)/g)].map(([, port]) => port);
    expect(new Set(ports)).toEqual(new Set(['3000', '9090', '9093', '16686', '9095']));
    for (const port of ports) expect(readText('docker-compose.yml')).toContain(`127.0.0.1:${port}:${port}`);
  });

  test('secrets: those that compose demands, no more and no less', () => {
    const [, names = ''] = /for name in (.*); do echo "STACK_/.exec(GUIDE) ?? [];
    const made = [
      ...names.split(' ').map((name) => `STACK_${name}`),
      ...(GUIDE.match(/STACK_SECRET_KEY(?==)/g) ?? []),
    ];
    const demanded = [...readText('docker-compose.yml').matchAll(/\$\{(\w+):\?/g)].map(
      ([, name]) => name ?? '',
    );
    expect(made.toSorted()).toEqual([...new Set(demanded)].toSorted());
  });

  test('values of the chart', () => {
    const values = readYaml('deploy/helm/grantex-auth/values.yaml');
    const named = [...GUIDE.matchAll(/(?:`|--set )((?:metrics|dashboards|image|env)\.[\w.]+)/g)].map(
      ([, path]) => path,
    );
    expect(named.length).toBeGreaterThan(4);
    // biome-ignore lint/suspicious/noExplicitAny: values of every shape
    const at = (path = '') => path.split('.').reduce((value: any, key) => value?.[key], values);
    for (const path of named) expect(at(path), path).toBeDefined();
  });
});

test('its figures are those of the page on performance', () => {
  const speed = readText('docs/performance.md');
  /** The CPU time of service and database, in µs. */
  const figures = (row: string) => {
    const cells =
      speed
        .split('\n')
        .find((line) => line.startsWith(`| ${row} |`))
        ?.split('|') ?? [];
    return [cells[4], cells[5]].map((cell = '') => Number(cell.replaceAll(',', '')));
  };
  const rows = {
    verify: 'verify',
    authorize: 'authorize',
    'authorize and exchange': 'authorize + exchange, RS256',
    refresh: 'refresh, RS256',
  };
  for (const [name, row] of Object.entries(rows)) {
    const [, service, database] =
      new RegExp(`^\\| ${name} \\| ([\\d.]+) ms \\| ([\\d.]+) ms`, 'm').exec(GUIDE) ?? [];
    const [ofService, ofDatabase] = figures(row);
    expect((1000 * Number(service)) / Number(ofService), name).toBeCloseTo(1, 1);
    expect((1000 * Number(database)) / Number(ofDatabase), name).toBeCloseTo(1, 1);
  }
  const others = [/\d+ MiB after the start/, /\d+ MiB at the end/, /\d+ series/, /[\d,]+ once 500 agents/];
  for (const figure of others) {
    const [text] = /[\d,]+/.exec(figure.exec(GUIDE)?.[0] ?? '') ?? [];
    expect(speed).toContain(text ?? `${figure} in the guide`);
  }
});

test('the snippets for Prometheus are YAML of the shape that it reads', () => {
  const block = (name: string) =>
    parse(new RegExp(`\`\`\`yaml ${name}\n(.*?)\`\`\``, 's').exec(GUIDE)?.[1] ?? '');
  expect(block('federation').scrape_configs[0]).toMatchObject({
    metrics_path: '/federate',
    honor_labels: true,
  });
  expect(block('remote-write').remote_write[0]).toMatchObject({ send_exemplars: true });
});
