import { ConfigError } from '../src/config.ts';
import { DIAGNOSTIC_LEVELS } from './diagnostics.ts';

/** What this service decides from the standard `OTEL_*` variables. Endpoint, headers, timeouts, limits and the rest are read by the SDK's packages themselves. */
export interface OtelSettings {
  readonly disabled: boolean;
  /** From which level on OpenTelemetry's packages may say something of themselves; undefined: the default. */
  readonly logLevel: string | undefined;
  /** Send traces by OTLP: only with an endpoint, never to a default address. */
  readonly traces: OtlpProtocol | null;
  readonly logs: OtlpProtocol | null;
  /** Send metrics by OTLP beside the scrape: only when asked for by `OTEL_METRICS_EXPORTER=otlp`. */
  readonly metrics: OtlpProtocol | null;
  readonly batch: BatchSettings;
  /** Log lines on their way at a time, and how long they may wait for company, milliseconds. */
  readonly logBatch: { readonly queue: number; readonly delayMs: number };
  /** How often metrics are sent by OTLP, and how long one sending may take, milliseconds. */
  readonly metricExport: { readonly intervalMs: number; readonly timeoutMs: number };
}
export type OtlpProtocol = 'http/protobuf' | 'http/json';
export interface BatchSettings {
  readonly maxQueueSize?: number;
  readonly scheduledDelayMillis?: number;
  readonly exportTimeoutMillis?: number;
  readonly maxExportBatchSize?: number;
}

type Env = Readonly<Record<string, string | undefined>>;

const PROTOCOLS: readonly OtlpProtocol[] = ['http/protobuf', 'http/json'];
const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
];
const DEFAULT_LOG_QUEUE = 2048;
/** Shorter than the specification's second: the end of the service waits for it. */
const DEFAULT_LOG_DELAY_MS = 250;
/** The specification's. */
const DEFAULT_METRIC_INTERVAL_MS = 60_000;
const DEFAULT_METRIC_TIMEOUT_MS = 30_000;

/**
 * Reads the `OTEL_*` variables that decide whether and how something is sent.
 * @throws {ConfigError} naming every variable whose value would silently mean something else than was asked for
 */
export function readOtelEnv(env: Env): OtelSettings {
  const faults: string[] = [];
  const text = (name: string) => env[name]?.trim() || undefined;
  const whole = (name: string): number | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
    faults.push(`${name} must be a whole number from 1`);
    return undefined;
  };
  /** Looked at whether it is needed or not: what is set is meant. */
  const protocol = (name: string): OtlpProtocol | undefined => {
    const value = text(name);
    const known = PROTOCOLS.find((one) => one === value);
    if (value !== undefined && known === undefined)
      faults.push(`${name} must be one of ${PROTOCOLS.join(', ')}`);
    return known;
  };
  const common = protocol('OTEL_EXPORTER_OTLP_PROTOCOL');
  const sent = (signal: string, exporter: 'otlp' | undefined): OtlpProtocol | null => {
    const chosen = (text(`OTEL_${signal}_EXPORTER`) ?? exporter ?? 'none')
      .split(',')
      .map((part) => part.trim());
    const known = signal === 'METRICS' ? ['otlp', 'none', 'prometheus'] : ['otlp', 'none'];
    if (!chosen.every((value) => known.includes(value)))
      faults.push(`OTEL_${signal}_EXPORTER must be one of ${known.join(', ')}`);
    const own = protocol(`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`);
    if (!chosen.includes('otlp')) return null;
    const endpoint = [`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`, 'OTEL_EXPORTER_OTLP_ENDPOINT'].find(text);
    if (endpoint === undefined) return null;
    if (!/^https?:\/\//.test(text(endpoint) ?? '') || !URL.canParse(text(endpoint) ?? ''))
      faults.push(`${endpoint} must be a URL beginning http:// or https://`);
    return own ?? common ?? 'http/protobuf';
  };

  const disabled = text('OTEL_SDK_DISABLED')?.toLowerCase() === 'true';
  const settings = {
    disabled,
    logLevel: text('OTEL_LOG_LEVEL')?.toLowerCase(),
    traces: sent('TRACES', 'otlp'),
    logs: sent('LOGS', 'otlp'),
    metrics: sent('METRICS', undefined),
    batch: withoutUndefined({
      maxQueueSize: whole('OTEL_BSP_MAX_QUEUE_SIZE'),
      scheduledDelayMillis: whole('OTEL_BSP_SCHEDULE_DELAY'),
      exportTimeoutMillis: whole('OTEL_BSP_EXPORT_TIMEOUT'),
      maxExportBatchSize: whole('OTEL_BSP_MAX_EXPORT_BATCH_SIZE'),
    }),
    logBatch: {
      queue: whole('OTEL_BLRP_MAX_QUEUE_SIZE') ?? DEFAULT_LOG_QUEUE,
      delayMs: whole('OTEL_BLRP_SCHEDULE_DELAY') ?? DEFAULT_LOG_DELAY_MS,
    },
    metricExport: {
      intervalMs: whole('OTEL_METRIC_EXPORT_INTERVAL') ?? DEFAULT_METRIC_INTERVAL_MS,
      timeoutMs: whole('OTEL_METRIC_EXPORT_TIMEOUT') ?? DEFAULT_METRIC_TIMEOUT_MS,
    },
  };
  if (settings.logLevel !== undefined && !DIAGNOSTIC_LEVELS.has(settings.logLevel))
    faults.push(`OTEL_LOG_LEVEL must be one of ${[...DIAGNOSTIC_LEVELS.keys()].join(', ')}`);
  const sampler = text('OTEL_TRACES_SAMPLER');
  if (sampler !== undefined && !SAMPLERS.includes(sampler))
    faults.push(`OTEL_TRACES_SAMPLER must be one of ${SAMPLERS.join(', ')}`);
  if (sampler?.endsWith('traceidratio')) {
    const ratio = Number(text('OTEL_TRACES_SAMPLER_ARG') ?? '1');
    if (!(ratio >= 0 && ratio <= 1)) faults.push('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1');
  }
  if (faults.length > 0 && !disabled) throw new ConfigError([...new Set(faults)]);
  return disabled ? { ...settings, traces: null, logs: null, metrics: null } : settings;
}

function withoutUndefined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}
