import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../support/service.ts';
import { binary } from './binaries/build.ts';
import { runProgram } from './python.ts';

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  directory = await temporaryDirectory();
});
afterAll(() => directory.remove());

describe('the collector', () => {
  const validate = async (...configs: string[]) =>
    runProgram('env', [
      `OTELCOL_STORAGE_DIR=${directory.path}`,
      await binary('otelcol'),
      'validate',
      ...configs.flatMap((config) => ['--config', config]),
    ]);

  test('reads its configuration, and would say if it could not', async () => {
    expect(await validate(root('otel-collector/config.yaml'))).toEqual({ code: 0, output: '' });
    const broken = join(directory.path, 'broken.yaml');
    const text = await readFile(root('otel-collector/config.yaml'), 'utf8');
    await writeFile(broken, text.replace('limit_mib:', 'limit_mebibytes:'));
    expect((await validate(broken)).output).toContain('limit_mebibytes');
  });

  test('every variable of its README is in the configuration, with that default, and the other way round', async () => {
    const config = await readFile(root('otel-collector/config.yaml'), 'utf8');
    const used = Array.from(
      config.matchAll(/\$\{env:(\w+):-([^}]*)\}/g),
      ([, name, value]) => `${name}=${value}`,
    );
    const readme = await readFile(root('otel-collector/README.md'), 'utf8');
    const documented = Array.from(
      readme.matchAll(/^\| (`OTELCOL_.*?) \| (`.*?) \|/gm),
      ([, names, values]) => {
        const parts = (text = '') => Array.from(text.matchAll(/`([^`]*)`/g), ([, part]) => part);
        return parts(names).map((name, index) => `${name}=${parts(values)[index]}`);
      },
    );
    expect(new Set(used)).toEqual(new Set(documented.flat()));
  });
});

test('Prometheus reads its configuration', async () => {
  const { code, output } = await runProgram(await binary('promtool'), [
    'check',
    'config',
    root('deploy/prometheus/prometheus.yml'),
  ]);
  expect(output).toContain('is valid prometheus config file syntax');
  expect(code).toBe(0);
});

test('the probe reads its configuration', async () => {
  const { code, output } = await runProgram(await binary('blackbox_exporter'), [
    '--config.check',
    `--config.file=${root('deploy/blackbox/blackbox.yml')}`,
  ]);
  expect(output).toContain('Config file is ok');
  expect(code).toBe(0);
});

describe('Alertmanager', () => {
  const amtool = async (...args: string[]) => runProgram(await binary('amtool'), args);
  const config = root('deploy/alertmanager/alertmanager.yml');

  test('reads its configuration, with the template', async () => {
    const { code, output } = await amtool('check-config', config);
    expect(output).toMatch(/1 templates/);
    expect(output).toMatch(/SUCCESS/);
    expect(code).toBe(0);
  });

  test.each([
    ['severity=critical', 'critical'],
    ['severity=warning', 'warning'],
    // Alerts with an unknown severity must reach a receiver, too.
    ['severity=page', 'warning'],
    ['alertname=GrantexWatchdog severity=none', 'watchdog'],
  ])('an alert with %s goes to the receiver %s', async (labels, receiver) => {
    const { output } = await amtool(
      'config',
      'routes',
      'test',
      `--config.file=${config}`,
      ...labels.split(' '),
    );
    expect(output.trim()).toBe(receiver);
  });

  test('a message says what, how bad, since when, and where to look', async () => {
    const alert = {
      status: 'firing',
      labels: { alertname: 'HighAuthLatency', severity: 'critical' },
      annotations: {
        summary: 'Authorize takes 2.3 s.',
        description: 'The 99th percentile of the last five minutes.',
        runbook_url: 'https://example.com/HighAuthLatency.md',
        dashboard_url: 'https://example.com/d/grantex-overview',
      },
      startsAt: '2026-01-02T03:04:05Z',
      endsAt: '0001-01-01T00:00:00Z',
    };
    const data = join(directory.path, 'data.json');
    await writeFile(
      data,
      JSON.stringify({
        receiver: 'critical',
        status: 'firing',
        alerts: [alert],
        groupLabels: { alertname: 'HighAuthLatency' },
        commonLabels: alert.labels,
        commonAnnotations: alert.annotations,
        externalURL: 'http://localhost:9093',
      }),
    );
    const templates = join(directory.path, 'templates');
    await cp(root('deploy/alertmanager/templates'), templates, { recursive: true });
    const render = async (name: string) =>
      (
        await amtool(
          'template',
          'render',
          `--template.glob=${templates}/*.tmpl`,
          `--template.text={{ template "${name}" . }}`,
          `--template.data=${data}`,
        )
      ).output.trim();
    expect(await render('grantex.title')).toBe('CRITICAL: HighAuthLatency');
    expect(await render('grantex.link')).toBe('https://example.com/d/grantex-overview');
    expect((await render('grantex.text')).split('\n')).toEqual([
      'Authorize takes 2.3 s.',
      'The 99th percentile of the last five minutes.',
      'Runbook: https://example.com/HighAuthLatency.md',
      'Dashboard: https://example.com/d/grantex-overview',
      'Since: 2026-01-02 03:04:05 UTC',
    ]);
  });
});
