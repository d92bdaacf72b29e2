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
 * Batches spans and sends them by OTLP. `onLost` is told of every span that will not arrive: queue full, or export failed.
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

/** A meter that hears of one thing only: the processor reports each loss where it happens, queue and export alike. */
function lossMeter(onLost: (spans: number) => void): MeterProvider {
  const noop = createNoopMeter();
  const counter: Counter = {
    add(spans, attributes) {
      if (attributes?.['error.type'] !== undefined) onLost(spans);
    },
  };
  // The no-op meter is one object for everybody: what differs goes on one of our own in front of it.
  const meter: Meter = Object.assign(Object.create(noop) as Meter, {
    createCounter: (name: string) => (name === PROCESSED_SPANS ? counter : noop.createCounter(name)),
  });
  return { getMeter: () => meter };
}
