import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { binary } from '../../../test/stack/binaries/build.ts';
import { loopback, type Ports, rewriteAddresses } from './addresses.ts';
import { hurryIntervals, hurryRules } from './hurry.ts';
import type { Definition } from './program.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** What `npm run stack` starts. The order is that of the end: whoever sends ends before whoever receives. */
export const PROGRAMS = [
  'grantex-auth',
  'blackbox',
  'otel-collector',
  'prometheus',
  'jaeger',
  'alertmanager',
  'alert-sink',
] as const;
export type ProgramName = (typeof PROGRAMS)[number];

/** Beside the file and the addresses; docker-compose.yml has the same. */
export const PROMETHEUS_FLAGS = ['--web.enable-otlp-receiver', '--enable-feature=exemplar-storage'];

export interface StackSettings {
  readonly ports: Ports;
  /** For data, queues, rewritten configuration and logs; made when it is not there. */
  readonly directory: string;
  /** Additions to the environment of single programs, which otherwise is that of this process. */
  readonly env?: Partial<Record<ProgramName, Readonly<Record<string, string>>>>;
  /** Looks and evaluates every second instead of every quarter of a minute, for tests. */
  readonly hurried?: boolean;
}

type Make = (settings: StackSettings) => Promise<Pick<Definition, 'command' | 'env' | 'readyUrl'>>;

const url = (port: number, path = '') => `http://${loopback(port)}${path}`;

const MAKERS: Readonly<Record<ProgramName, Make>> = {
  'grantex-auth': async ({ ports, directory }) => ({
    command: [
      process.execPath,
      '--max-semi-space-size=8',
      '--heap-growing-percent=100',
      '--import',
      './instrumentation/register.ts',
      'src/main.ts',
    ],
    env: {
      PORT: String(ports.service),
      DATA_DIR: join(directory, 'service'),
      // The receivers of a demonstration are on this machine.
      ALLOW_PRIVATE_WEBHOOK_HOSTS: 'true',
      ...telemetryEnv(ports),
    },
    readyUrl: url(ports.service, '/health/ready'),
  }),
  'otel-collector': async ({ ports, directory, hurried }) => ({
    command: [await binary('otelcol'), '--config', join(ROOT, 'otel-collector', 'config.yaml')],
    env: {
      OTELCOL_GRPC_PORT: String(ports.collectorGrpc),
      OTELCOL_HTTP_PORT: String(ports.collectorHttp),
      OTELCOL_METRICS_PORT: String(ports.collectorMetrics),
      OTELCOL_HEALTH_PORT: String(ports.collectorHealth),
      OTELCOL_STORAGE_DIR: join(directory, 'otel-collector'),
      OTELCOL_TRACES_ENDPOINT: url(ports.jaegerOtlp),
      OTELCOL_PROMETHEUS_ENDPOINT: url(ports.prometheus, '/api/v1/otlp'),
      ...(hurried && { OTELCOL_SPANMETRICS_INTERVAL: '1s' }),
    },
    readyUrl: url(ports.collectorHealth),
  }),
  jaeger: async ({ ports }) => ({
    command: [await binary('jaeger'), '--config', join(ROOT, 'deploy', 'jaeger', 'config.yaml')],
    env: {
      JAEGER_UI_PORT: String(ports.jaeger),
      JAEGER_QUERY_GRPC_PORT: String(ports.jaegerGrpc),
      JAEGER_OTLP_PORT: String(ports.jaegerOtlp),
      // Else it traces itself, to whatever listens on 4317.
      OTEL_TRACES_SAMPLER: 'always_off',
    },
    readyUrl: url(ports.jaeger, '/api/services'),
  }),
  prometheus: async (settings) => ({
    command: [
      await binary('prometheus'),
      `--config.file=${join(await rewritten('prometheus', settings), 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(settings.directory, 'prometheus-data')}`,
      `--web.listen-address=${loopback(settings.ports.prometheus)}`,
      ...PROMETHEUS_FLAGS,
    ],
    env: {},
    readyUrl: url(settings.ports.prometheus, '/-/ready'),
  }),
  alertmanager: async (settings) => ({
    command: [
      await binary('alertmanager'),
      `--config.file=${join(await rewritten('alertmanager', settings), 'alertmanager.yml')}`,
      `--storage.path=${join(settings.directory, 'alertmanager-data')}`,
      `--web.listen-address=${loopback(settings.ports.alertmanager)}`,
      // One instance: nobody to gossip with.
      '--cluster.listen-address=',
    ],
    env: {},
    readyUrl: url(settings.ports.alertmanager, '/-/ready'),
  }),
  blackbox: async ({ ports }) => ({
    command: [
      await binary('blackbox_exporter'),
      `--config.file=${join(ROOT, 'deploy', 'blackbox', 'blackbox.yml')}`,
      `--web.listen-address=${loopback(ports.blackbox)}`,
    ],
    env: {},
    readyUrl: url(ports.blackbox, '/-/healthy'),
  }),
  'alert-sink': async ({ ports }) => ({
    command: [process.execPath, join(ROOT, 'deploy', 'programs', 'stack', 'alert-sink.ts')],
    env: { ALERT_SINK_PORT: String(ports.alertSink) },
    readyUrl: url(ports.alertSink),
  }),
};

/** What makes a service send to this stack. */
export const telemetryEnv = (ports: Ports): Record<string, string> => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: url(ports.collectorHttp),
});

/**
 * How one program is started from the committed configuration. What is missing of the binaries is built first, and files with
 * addresses in them are written, rewritten, to the directory of the stack.
 */
export async function define(name: ProgramName, settings: StackSettings): Promise<Definition> {
  const { env, ...made } = await MAKERS[name](settings);
  return {
    name,
    cwd: ROOT,
    logFile: join(settings.directory, 'log', `${name}.log`),
    env: { ...process.env, ...env, ...settings.env?.[name] },
    ...made,
  };
}

/** A copy of `deploy/<name>`, with the addresses of this stack. */
async function rewritten(name: string, { directory, ports, hurried }: StackSettings): Promise<string> {
  const source = join(ROOT, 'deploy', name);
  const copy = join(directory, name);
  const file = `${name}.yml`;
  await mkdir(copy, { recursive: true });
  await cp(source, copy, { recursive: true });
  const text = rewriteAddresses(await readFile(join(source, file), 'utf8'), ports);
  await writeFile(join(copy, file), hurried ? hurryIntervals(text) : text);
  if (hurried)
    for (const rules of await rulesIn(copy))
      await writeFile(rules, hurryRules(await readFile(rules, 'utf8')));
  return copy;
}

async function rulesIn(copy: string): Promise<string[]> {
  const files = await readdir(copy, { recursive: true });
  return files.filter((file) => /^rules.*\.yml$/.test(file)).map((file) => join(copy, file));
}
