import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { binary } from '../../../test/stack/binaries/build.ts';
import { loopback, type Ports, rewriteAddresses } from './addresses.ts';
import type { Definition } from './program.ts';
import { shortenIntervals, shortenRules } from './shorten-intervals.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The programs of `npm run stack`, in the order in which they end: senders before receivers. */
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

/** The flags besides the file and the addresses. docker-compose.yml has the same. */
export const PROMETHEUS_FLAGS = [
  '--web.enable-otlp-receiver',
  '--enable-feature=exemplar-storage,created-timestamp-zero-ingestion',
];

export interface StackSettings {
  readonly ports: Ports;
  /** The directory of data, queues, rewritten configuration and logs. It is made when it is missing. */
  readonly directory: string;
  /** Variables of single programs, in addition to the environment of this process. */
  readonly env?: Partial<Record<ProgramName, Readonly<Record<string, string>>>>;
  /** Scrapes and evaluates every second instead of every fifteen seconds, for tests. */
  readonly shortIntervals?: boolean;
}

type MakeDefinition = (settings: StackSettings) => Promise<Pick<Definition, 'command' | 'env' | 'readyUrl'>>;

const url = (port: number, path = '') => `http://${loopback(port)}${path}`;

const DEFINITIONS: Readonly<Record<ProgramName, MakeDefinition>> = {
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
      // The webhook receivers of the demo are on this machine.
      ALLOW_PRIVATE_WEBHOOK_HOSTS: 'true',
      ...telemetryEnv(ports),
    },
    readyUrl: url(ports.service, '/health/ready'),
  }),
  'otel-collector': async ({ ports, directory, shortIntervals }) => ({
    command: [await binary('otelcol'), '--config', join(ROOT, 'otel-collector', 'config.yaml')],
    env: {
      OTELCOL_GRPC_PORT: String(ports.collectorGrpc),
      OTELCOL_HTTP_PORT: String(ports.collectorHttp),
      OTELCOL_METRICS_PORT: String(ports.collectorMetrics),
      OTELCOL_HEALTH_PORT: String(ports.collectorHealth),
      OTELCOL_STORAGE_DIR: join(directory, 'otel-collector'),
      OTELCOL_TRACES_ENDPOINT: url(ports.jaegerOtlp),
      OTELCOL_PROMETHEUS_ENDPOINT: url(ports.prometheus, '/api/v1/otlp'),
      ...(shortIntervals && { OTELCOL_SPANMETRICS_INTERVAL: '1s' }),
    },
    readyUrl: url(ports.collectorHealth),
  }),
  jaeger: async ({ ports }) => ({
    command: [await binary('jaeger'), '--config', join(ROOT, 'deploy', 'jaeger', 'config.yaml')],
    env: {
      JAEGER_UI_PORT: String(ports.jaeger),
      JAEGER_QUERY_GRPC_PORT: String(ports.jaegerGrpc),
      JAEGER_OTLP_PORT: String(ports.jaegerOtlp),
      // Otherwise Jaeger sends traces of itself to port 4317.
      OTEL_TRACES_SAMPLER: 'always_off',
    },
    readyUrl: url(ports.jaeger, '/api/services'),
  }),
  prometheus: async (settings) => ({
    command: [
      await binary('prometheus'),
      `--config.file=${join(await copyConfiguration('prometheus', settings), 'prometheus.yml')}`,
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
      `--config.file=${join(await copyConfiguration('alertmanager', settings), 'alertmanager.yml')}`,
      `--storage.path=${join(settings.directory, 'alertmanager-data')}`,
      `--web.listen-address=${loopback(settings.ports.alertmanager)}`,
      // There is only one instance, so it needs no cluster.
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

/** The environment with which a service sends its telemetry to this stack. */
export const telemetryEnv = (ports: Ports): Record<string, string> => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: url(ports.collectorHttp),
});

/**
 * Defines how to start one program from the committed configuration. It first builds a missing binary. Configuration
 * files that contain addresses are copied to the directory of the stack, with the addresses of this stack.
 */
export async function defineProgram(name: ProgramName, settings: StackSettings): Promise<Definition> {
  const { env, ...made } = await DEFINITIONS[name](settings);
  return {
    name,
    cwd: ROOT,
    logFile: join(settings.directory, 'log', `${name}.log`),
    env: { ...process.env, ...env, ...settings.env?.[name] },
    ...made,
  };
}

/** Copies `deploy/<name>` with the addresses of this stack. @returns the directory of the copy */
async function copyConfiguration(
  name: string,
  { directory, ports, shortIntervals }: StackSettings,
): Promise<string> {
  const source = join(ROOT, 'deploy', name);
  const copy = join(directory, name);
  const file = `${name}.yml`;
  await mkdir(copy, { recursive: true });
  await cp(source, copy, { recursive: true });
  const text = rewriteAddresses(await readFile(join(source, file), 'utf8'), ports);
  await writeFile(join(copy, file), shortIntervals ? shortenIntervals(text) : text);
  if (shortIntervals)
    for (const rules of await rulesIn(copy))
      await writeFile(rules, shortenRules(await readFile(rules, 'utf8')));
  return copy;
}

async function rulesIn(copy: string): Promise<string[]> {
  const files = await readdir(copy, { recursive: true });
  return files.filter((file) => /^rules.*\.yml$/.test(file)).map((file) => join(copy, file));
}
