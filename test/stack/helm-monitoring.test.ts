import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { COMMITTED, type Installation, renderRules } from '../../deploy/programs/rules/render.ts';
import { ROOT, readText } from '../deploy/compose-file.ts';
import { temporaryDirectory } from '../support/service.ts';
import {
  CHART,
  helm,
  type Rendered,
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
        relabelings: [{ targetLabel: 'job', replacement: 'auth-grantex-auth', action: 'replace' }],
      },
    ]);
    expect(chart.one('Probe', 'auth-grantex-auth-health').spec.jobName).toBe('auth-grantex-auth-health');
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

  const files = readdirSync(`${ROOT}deploy/prometheus/rules`)
    .filter((file) => file.endsWith('.yml'))
    .toSorted();
  const rulesFor = (installation: Installation) =>
    files.map((file) => parse(renderRules(readText(`deploy/prometheus/rules/${file}`), installation)));

  test('the PrometheusRules are the rules for its own job, with its labels and links that lead somewhere', () => {
    const rules = chart.resources.filter(({ kind }) => kind === 'PrometheusRule');
    expect(rules.map(({ spec }) => spec)).toEqual(
      rulesFor({
        jobs: ['auth-grantex-auth'],
        labels: { service: 'auth-grantex-auth', namespace: 'identity', team: 'identity' },
        grafanaUrl: 'https://grafana.example.com',
        runbooksUrl: 'https://git.example.com/grantex-auth/deploy/runbooks',
      }),
    );
    expect(new Set(rules.map(({ metadata }) => metadata.name)).size).toBe(files.length);
  });

  test('with the job and addresses of compose they are the committed rules', async () => {
    const { output } = await render(
      'production',
      ...['grafanaUrl=', 'runbooksUrl=', 'alertLabels.team='].flatMap((value) => [
        '--set',
        `metrics.prometheusRule.${value}`,
      ]),
      '--set=metrics.job=grantex-auth',
    );
    const rules = resourcesIn(output).filter(({ kind }) => kind === 'PrometheusRule');
    expect(rules.map(({ spec }) => spec)).toEqual(
      rulesFor({ ...COMMITTED, labels: { service: 'grantex-auth', namespace: 'identity' } }),
    );
  });

  test('the ConfigMaps are the dashboards, byte by byte but for where their runbooks are', () => {
    const maps = chart.resources.filter(({ kind }) => kind === 'ConfigMap');
    const dashboards = readdirSync(`${ROOT}deploy/grafana`).filter((file) => file.endsWith('.json'));
    const textOf = (file: string) =>
      readFileSync(`${ROOT}deploy/grafana/${file}`, 'utf8').replace(
        '"query": "/public/runbooks"',
        '"query": "https://git.example.com/grantex-auth/deploy/runbooks"',
      );
    expect(Object.assign({}, ...maps.map(({ data }) => data))).toEqual(
      Object.fromEntries(dashboards.map((file) => [file, textOf(file)])),
    );
    expect(dashboards.length).toBe(4);
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
      'release-test.mjs',
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
