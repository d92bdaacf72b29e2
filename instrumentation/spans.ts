import { type Counter, createNoopMeter, type Meter, type MeterProvider } from '@opentelemetry/api';
import {
  BatchSpanProcessor,
  NoopSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import type { BatchSettings, OtlpProtocol } from './otel-env.ts';

/** The processor's own metric of spans it has done with; the lost ones carry `error.type`. */
const PROCESSED_SPANS = 'otel.sdk.processor.span.processed';

/**
 * Batches spans and sends them by OTLP. `onLost` hears of every span that will not arrive: queue full, or export failed.
 * Endpoint, headers, timeout, compression and certificates come from the standard variables.
 */
export async function createSpanProcessor(
  protocol: OtlpProtocol,
  settings: BatchSettings,
  onLost: (spans: number) => void,
): Promise<SpanProcessor> {
  return new BatchSpanProcessor({
    ...settings,
    exporter: await createExporter(protocol),
    selfObsMeterProvider: lossMeter(onLost),
  });
}

/** Without an endpoint spans are only identities, for the log lines: never recorded, never sent. */
export const idleSpanProcessor = (): SpanProcessor => new NoopSpanProcessor();

async function createExporter(protocol: OtlpProtocol): Promise<SpanExporter> {
  const { OTLPTraceExporter } =
    protocol === 'http/json'
      ? await import('@opentelemetry/exporter-trace-otlp-http')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter();
}

/** A meter that counts one thing only: the processor reports each loss where it happens, queue and export alike. */
function lossMeter(onLost: (spans: number) => void): MeterProvider {
  const noop = createNoopMeter();
  const counter: Counter = {
    add(spans, attributes) {
      if (attributes?.['error.type'] !== undefined) onLost(spans);
    },
  };
  const meter: Meter = {
    createCounter: (name) => (name === PROCESSED_SPANS ? counter : noop.createCounter(name)),
    createGauge: (name) => noop.createGauge(name),
    createHistogram: (name) => noop.createHistogram(name),
    createUpDownCounter: (name) => noop.createUpDownCounter(name),
    createObservableCounter: (name) => noop.createObservableCounter(name),
    createObservableGauge: (name) => noop.createObservableGauge(name),
    createObservableUpDownCounter: (name) => noop.createObservableUpDownCounter(name),
    addBatchObservableCallback: () => undefined,
    removeBatchObservableCallback: () => undefined,
  };
  return { getMeter: () => meter };
}
