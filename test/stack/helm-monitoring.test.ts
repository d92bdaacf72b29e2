import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ROOT, readText } from '../deploy/compose-file.ts';
import { temporaryDirectory } from '../support/service.ts';
import {
  CHART,
  helm,
  type Rendered,
  type Resource,
  render,
  renderChart,
  rendered,
  resourcesIn,
} from './kubernetes/chart.ts';
import { runProgram } from './python.ts';

let chart: Rendered;
beforeAll(async () => {
  chart = await rendered('production');
});

describe('what watches the service in Kubernetes', () => {
  test('a ServiceMonitor scrapes each pod as the job that rules and dashboards ask for', () => {
    const { metadata, spec } = chart.one('ServiceMonitor');
    expect(metadata.labels).toMatchObject({ release: 'kube-prometheus-stack' });
    const service = chart.one('Service', 'auth-grantex-auth-metrics');
    expect(service.metadata.labels).toMatchObject(spec.selector.matchLabels);
    expect(chart.one('Service').metadata.labels).not.toMatchObject(spec.selector.matchLabels);
    expect(service.spec.ports).toEqual([
      { name: 'metrics', port: 9464, targetPort: 'metrics', protocol: 'TCP' },
    ]);
    expect(spec.endpoints).toEqual([
      {
        port: 'metrics',
        path: '/metrics',
        interval: '15s',
        scrapeTimeout: '10s',
        authorization: { type: 'Bearer', credentials: { name: 'auth', key: 'metrics-key' } },
        relabelings: [{ targetLabel: 'job', replacement: 'grantex-auth', action: 'replace' }],
      },
    ]);
    const jobs = parse(readText('deploy/prometheus/prometheus.yml')).scrape_configs;
    expect(jobs.map((job: Resource) => job.job_name)).toEqual(
      expect.arrayContaining(['grantex-auth', chart.one('Probe', 'auth-grantex-auth-health').spec.jobName]),
    );
  });

  test('a Probe asks /health with the module of the blackbox exporter', () => {
    const { spec } = chart.one('Probe', 'auth-grantex-auth-health');
    expect(spec.targets).toEqual({
      staticConfig: { static: ['http://auth-grantex-auth.identity.svc:80/health'] },
    });
    expect(Object.keys(parse(readText('deploy/blackbox/blackbox.yml')).modules)).toContain(spec.module);
    // The critical alert needs three probes within its window.
    expect(spec.interval).toBe('15s');
    expect(readText('deploy/prometheus/rules/signals.yml')).toContain(
      'count_over_time(probe_success{job="grantex-auth-health"}[45s]) >= 3',
    );
  });

  test('the PrometheusRules are the rule files, with links that lead somewhere', () => {
    const files = readdirSync(`${ROOT}deploy/prometheus/rules`).filter((file) => file.endsWith('.yml'));
    const rules = chart.resources.filter(({ kind }) => kind === 'PrometheusRule');
    const expected = files.toSorted().map((file) => {
      const text = readText(`deploy/prometheus/rules/${file}`)
        .replaceAll('http://localhost:3000/', 'https://grafana.example.com/')
        .replaceAll('deploy/runbooks/', 'https://git.example.com/grantex-auth/deploy/runbooks/');
      return parse(text).groups;
    });
    expect(rules.map(({ spec }) => spec.groups)).toEqual(expected);
    expect(expected.flat().length).toBeGreaterThan(1);
    expect(new Set(rules.map(({ metadata }) => metadata.name)).size).toBe(files.length);
  });

  test('without prefixes of their own they are the rule files to the letter', async () => {
    const empty = ['grafanaUrl=', 'runbooksUrl='].flatMap((value) => [
      '--set',
      `metrics.prometheusRule.${value}`,
    ]);
    const { output } = await render('production', ...empty);
    const rules = resourcesIn(output).filter(({ kind }) => kind === 'PrometheusRule');
    const files = readdirSync(`${ROOT}deploy/prometheus/rules`).filter((file) => file.endsWith('.yml'));
    expect(rules.map(({ spec }) => spec)).toEqual(
      files.toSorted().map((file) => parse(readText(`deploy/prometheus/rules/${file}`))),
    );
  });

  test('the ConfigMaps are the dashboards, byte by byte', () => {
    const maps = chart.resources.filter(({ kind }) => kind === 'ConfigMap');
    const files = readdirSync(`${ROOT}deploy/grafana`).filter((file) => file.endsWith('.json'));
    expect(Object.assign({}, ...maps.map(({ data }) => data))).toEqual(
      Object.fromEntries(files.map((file) => [file, readFileSync(`${ROOT}deploy/grafana/${file}`, 'utf8')])),
    );
    expect(files.length).toBeGreaterThan(1);
    for (const { metadata } of maps) expect(metadata.labels).toMatchObject({ grafana_dashboard: '1' });
  });
});

describe('the package', () => {
  test('has rules and dashboards as files, and nothing of what makes them', async () => {
    const { path, remove } = await temporaryDirectory();
    const { code, output } = await helm('package', CHART, '--destination', path);
    expect(code, output).toBe(0);
    const archive = join(path, 'grantex-auth-0.1.0.tgz');
    const { output: list } = await runProgram('tar', ['--list', '--file', archive]);
    const linked = list.split('\n').filter((file) => file.startsWith('grantex-auth/files/'));
    const expected = [
      ...readdirSync(`${ROOT}deploy/prometheus/rules`).map((file) => `rules/${file}`),
      ...readdirSync(`${ROOT}deploy/grafana`)
        .filter((file) => file.endsWith('.json'))
        .map((file) => `dashboards/${file}`),
    ];
    expect(linked.toSorted()).toEqual(expected.map((file) => `grantex-auth/files/${file}`).toSorted());
    const fromArchive = await renderChart(archive, 'production');
    expect(resourcesIn(fromArchive.output)).toEqual(chart.resources);
    await remove();
  });
});
