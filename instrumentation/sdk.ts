import { context, type Meter, metrics, type Tracer, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { RuntimeNodeInstrumentation } from '@opentelemetry/instrumentation-runtime-node';
import type { IMetricReader } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace';
import type { DestinationStream, MultiStreamRes } from 'pino';
import type { Config } from '../src/config.ts';
import { TELEMETRY_DROPPED } from '../src/telemetry/families/pipeline.ts';
import { SERVICE_FAMILIES } from '../src/telemetry/families.ts';
import { SERVICE_VERSION } from '../src/version.ts';
import { within } from '../src/within.ts';
import { createAgentNames } from './agent-names.ts';
import { logDiagnostics } from './diagnostics.ts';
import { createExemplars } from './exemplars.ts';
import { createExportReport, type Signal } from './export-report.ts';
import { createExposition, type Exposition } from './exposition.ts';
import { createHttpInstrumentation, observeActiveRequests } from './http.ts';
import { createLogStreams } from './logs.ts';
import { readOtelEnv } from './otel-env.ts';
import { createOtlpReader } from './otlp-metrics.ts';
import { observeProcess } from './process.ts';
import { createResource, SERVICE_NAME } from './resource.ts';
import { createScrape, type Scrape, type ScrapeHandler } from './scrape.ts';
import { createSpanExport, idleSpanProcessor } from './spans.ts';
import { createViews } from './views.ts';

export interface TelemetrySdk {
  /** Answers `GET /metrics`; null: there are no metrics, and `/metrics` is a path like any unknown one. */
  readonly scrape: ScrapeHandler | null;
  /** What a scrape would show now; null: as above. @throws when it cannot be read */
  readonly readMetrics: (() => Promise<string>) | null;
  /** The meter and tracer of the service. Its instruments must be made on this meter: a second one loses series. */
  readonly meter: Meter;
  readonly tracer: Tracer;
  /** Where the logger writes. */
  readonly logStream: DestinationStream | MultiStreamRes;
  /**
   * Sends what is held and ends, within `timeoutMs` whatever the collector does. Scrapes are refused from then on; log
   * lines still reach standard output. A second call does the same as the first.
   */
  shutdown(timeoutMs: number): Promise<void>;
}

/** Event-loop delay is sampled every 20 ms: 50 wake-ups a second cost less than 0.1 % of a core. */
const EVENT_LOOP_PRECISION_MS = 20;

/**
 * Starts telemetry as the configuration and the standard `OTEL_*` variables say. Nothing leaves the process unless there is
 * an endpoint. `OTEL_SDK_DISABLED=true` turns every signal off, as the specification has it: no traces, no log export, no
 * metrics and so no `/metrics`; log lines on standard output and their request ids stay.
 *
 * `env` is `process.env`: OpenTelemetry's packages read endpoint, headers and limits from there themselves.
 * @throws {ConfigError} naming every `OTEL_*` variable that cannot be used
 */
export async function startTelemetry(config: Config, env: NodeJS.ProcessEnv): Promise<TelemetrySdk> {
  const settings = readOtelEnv(env);
  const resource = createResource();
  const logs = createLogStreams(settings, resource, env);
  logDiagnostics(logs.record, settings.logLevel);

  // Request ids of log lines live in the context, so there is a context manager whatever else is off.
  const contextManager = new AsyncLocalStorageContextManager();
  if (settings.disabled) {
    context.setGlobalContextManager(contextManager.enable());
    return {
      scrape: null,
      readMetrics: null,
      meter: metrics.getMeter(SERVICE_NAME),
      tracer: trace.getTracer(SERVICE_NAME),
      logStream: logs.stream,
      shutdown: (timeoutMs) => logs.close(timeoutMs),
    };
  }

  const reportOf = (signal: Signal) => createExportReport(signal, logs.record, settings.logLevel);
  const reports = { traces: reportOf('traces'), metrics: reportOf('metrics') };
  const spans =
    settings.traces === null ? null : await createSpanExport(settings.traces, settings.batch, reports.traces);
  const exemplars = createExemplars();
  const agentNames = createAgentNames();
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const readers: IMetricReader[] = config.metricsEnabled ? [exporter] : [];
  if (config.metricsEnabled && settings.metrics)
    readers.push(
      await createOtlpReader(settings.metrics, exporter, agentNames, reports.metrics, settings.metricExport),
    );

  const instrumentations = [
    createHttpInstrumentation(),
    ...(config.metricsEnabled
      ? [new RuntimeNodeInstrumentation({ monitoringPrecision: EVENT_LOOP_PRECISION_MS })]
      : []),
  ];
  // With OTEL_LOG_LEVEL the SDK's constructor would replace the logger by one that writes plain text.
  const sdk = without(
    env,
    'OTEL_LOG_LEVEL',
    () =>
      new NodeSDK({
        resource,
        autoDetectResources: false,
        contextManager,
        // Without trust nothing is extracted: a public caller neither chooses nor forces sampling.
        textMapPropagator: config.trustTraceContext ? new W3CTraceContextPropagator() : null,
        spanProcessors: [spans?.processor ?? idleSpanProcessor()],
        ...(settings.traces === null && { sampler: new AlwaysOffSampler() }),
        metricReaders: readers,
        views: createViews({
          perAgent: config.metricsPerAgent,
          agentLimit: config.metricsAgentLimit,
          exemplars,
          agentNames,
        }),
        logRecordProcessors: [],
        instrumentations,
      }),
  );
  sdk.start();

  const meter = metrics.getMeter(SERVICE_NAME, SERVICE_VERSION);
  const scrape = config.metricsEnabled
    ? startScrape(config, meter, exporter, createExposition(exemplars, agentNames))
    : null;
  if (config.metricsEnabled) {
    observeProcess(meter);
    observeActiveRequests(meter);
  }
  if (scrape)
    observeLosses(meter, () => ({
      traces: spans?.lost() ?? 0,
      logs: logs.lost(),
      stdout: logs.record.lost(),
    }));

  let stopping: Promise<void> | undefined;
  const stop = async (timeoutMs: number) => {
    scrape?.close();
    for (const instrumentation of instrumentations) instrumentation.disable();
    // Telemetry that is not sent by then is lost. The process ends anyway.
    const sent = sdk.shutdown().catch(() => undefined);
    const told = within(timeoutMs, sent).then(() => {
      reports.traces.close(spans?.underWay() ?? 0);
      reports.metrics.close(0);
    });
    await Promise.all([told, logs.close(timeoutMs)]);
    logs.record.flushSync();
    trace.disable();
    metrics.disable();
  };
  return {
    scrape: scrape?.handler ?? null,
    readMetrics: scrape?.read ?? null,
    meter,
    tracer: trace.getTracer(SERVICE_NAME, SERVICE_VERSION),
    logStream: logs.stream,
    shutdown(timeoutMs) {
      stopping ??= stop(timeoutMs);
      return stopping;
    },
  };
}

function startScrape(
  config: Config,
  meter: Meter,
  reader: PrometheusExporter,
  exposition: Exposition,
): Scrape {
  // The service counts its failures to read a gauge in the same family. So meter, name and unit are the same.
  const { instrument, unit } = SERVICE_FAMILIES.collectionErrors;
  const errors = meter.createCounter(instrument, { unit });
  return createScrape({
    reader,
    exposition,
    apiKey: config.metricsApiKey,
    onError: () => errors.add(1),
  });
}

function observeLosses(meter: Meter, read: () => { traces: number; logs: number; stdout: number }): void {
  const { instrument, unit, help } = TELEMETRY_DROPPED;
  meter.createObservableCounter(instrument, { unit, description: help }).addCallback((result) => {
    for (const [signal, lost] of Object.entries(read())) result.observe(lost, { signal });
  });
}

/** Runs `work` while the variable is unset. */
function without<T>(env: NodeJS.ProcessEnv, name: string, work: () => T): T {
  const value = env[name];
  delete env[name];
  try {
    return work();
  } finally {
    if (value !== undefined) env[name] = value;
  }
}
