import { ConfigError } from '../src/config.ts';
import {
  type DiagnosticLevel,
  OTEL_READ_VARIABLES,
  SIGNAL_VARIABLES,
  VARIABLES_OF_SDK,
} from '../src/variables/opentelemetry.ts';
import { VariableReader } from '../src/variables/variable.ts';

/** What this service decides from the standard `OTEL_*` variables. The SDK's packages read endpoint, headers, limits and the rest themselves. */
export interface OtelSettings {
  readonly disabled: boolean;
  /** Least severe level at which OpenTelemetry's packages report on themselves. */
  readonly logLevel: DiagnosticLevel;
  /** Send traces by OTLP: only with an endpoint, never to a default address. */
  readonly traces: OtlpProtocol | null;
  readonly logs: OtlpProtocol | null;
  /** Send metrics by OTLP beside the scrape: only when asked for by `OTEL_METRICS_EXPORTER=otlp`. */
  readonly metrics: OtlpProtocol | null;
  readonly batch: BatchSettings;
  /** The most log lines in flight, and the milliseconds that lines wait for more. */
  readonly logBatch: { readonly queue: number; readonly delayMs: number };
  /** How often metrics are sent by OTLP, and how long one export may take, in milliseconds. */
  readonly metricExport: { readonly intervalMs: number; readonly timeoutMs: number };
}
export type OtlpProtocol = 'http/protobuf' | 'http/json';
export interface BatchSettings {
  readonly maxQueueSize: number;
  readonly scheduledDelayMillis: number;
  readonly exportTimeoutMillis: number;
  readonly maxExportBatchSize: number;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads the `OTEL_*` variables that decide whether and how something is sent, by their table in src/variables.
 * @throws {ConfigError} naming every variable whose value would silently mean something else than was asked for
 */
export function readOtelEnv(env: Env): OtelSettings {
  const textOf = (name: string) => env[name]?.trim();
  const reader = new VariableReader(textOf);
  const { endpoint, protocol, sampler, samplerRatio } = OTEL_READ_VARIABLES;
  const commonProtocol = reader.read(protocol);
  const protocolOf = (signal: keyof typeof SIGNAL_VARIABLES): OtlpProtocol | null => {
    const own = SIGNAL_VARIABLES[signal];
    const chosen = reader.read(own.exporter);
    // A protocol is checked whether it is needed or not: the operator meant what they set.
    const ownProtocol = reader.read(own.protocol);
    if (!chosen.includes('otlp')) return null;
    const target = [own.endpoint, endpoint].find(({ name }) => textOf(name));
    if (target === undefined) return null;
    reader.read(target);
    return ownProtocol ?? commonProtocol;
  };

  const disabled = reader.read(OTEL_READ_VARIABLES.disabled);
  const settings: OtelSettings = {
    disabled,
    logLevel: reader.read(OTEL_READ_VARIABLES.logLevel),
    traces: protocolOf('traces'),
    logs: protocolOf('logs'),
    metrics: protocolOf('metrics'),
    batch: {
      maxQueueSize: reader.read(OTEL_READ_VARIABLES.spanQueue),
      scheduledDelayMillis: reader.read(OTEL_READ_VARIABLES.spanDelay),
      exportTimeoutMillis: reader.read(OTEL_READ_VARIABLES.spanTimeout),
      maxExportBatchSize: reader.read(OTEL_READ_VARIABLES.spanBatch),
    },
    logBatch: {
      queue: reader.read(OTEL_READ_VARIABLES.logQueue),
      delayMs: reader.read(OTEL_READ_VARIABLES.logDelay),
    },
    metricExport: {
      intervalMs: reader.read(OTEL_READ_VARIABLES.metricInterval),
      timeoutMs: reader.read(OTEL_READ_VARIABLES.metricTimeout),
    },
  };
  if (reader.read(sampler).endsWith('traceidratio')) reader.read(samplerRatio);
  // The packages read these as they are, blanks included.
  const untrimmed = new VariableReader((name) => (textOf(name) ? env[name] : undefined));
  for (const its of VARIABLES_OF_SDK) untrimmed.read(its);
  const faults = new Set([...reader.faults, ...untrimmed.faults]);
  if (faults.size > 0 && !disabled) throw new ConfigError([...faults]);
  return disabled ? { ...settings, traces: null, logs: null, metrics: null } : settings;
}
