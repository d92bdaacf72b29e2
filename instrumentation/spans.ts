import { type Counter, createNoopMeter, type Meter, type MeterProvider } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import {
  BatchSpanProcessor,
  NoopSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import { attemptExport } from './export-attempt.ts';
import type { ExportReport } from './export-report.ts';
import type { BatchSettings, OtlpProtocol } from './otel-env.ts';

/** The processor's own metric of spans it has done with; those that found no place in its queue carry `error.type`. */
const PROCESSED_SPANS = 'otel.sdk.processor.span.processed';

export interface SpanExport {
  readonly processor: SpanProcessor;
  /** Spans that did not arrive, so far: queue full, export failed, or rejected by the collector. */
  lost(): number;
  /** Spans that were handed over and of which nothing has been heard yet. */
  underWay(): number;
}

/**
 * Batches spans and sends them by OTLP. `report` hears of every span that will not arrive. Endpoint, headers, timeout,
 * compression and certificates come from the standard variables.
 */
export async function createSpanExport(
  protocol: OtlpProtocol,
  settings: BatchSettings,
  report: ExportReport,
): Promise<SpanExport> {
  const inner = await createExporter(protocol);
  let lost = 0;
  let underWay = 0;
  const exporter: SpanExporter = {
    export(spans, done) {
      underWay += spans.length;
      attemptExport(
        spans.length,
        (settle) => inner.export(spans, settle),
        (outcome) => {
          underWay -= spans.length;
          lost += outcome.lost;
          report.ended(outcome);
          // It has been told. The processor would tell it once more, as a text of JSON.
          done({ code: ExportResultCode.SUCCESS });
        },
      );
    },
    forceFlush: async () => inner.forceFlush?.(),
    shutdown: () => inner.shutdown(),
  };
  const onFull = (spans: number) => {
    lost += spans;
    report.queueFull(spans);
  };
  const processor = new BatchSpanProcessor({
    ...settings,
    exporter,
    selfObsMeterProvider: lossMeter(onFull),
  });
  return { processor, lost: () => lost, underWay: () => underWay };
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

/** A meter that counts one thing only: the spans for which the queue has no place. */
function lossMeter(onFull: (spans: number) => void): MeterProvider {
  const noop = createNoopMeter();
  const counter: Counter = {
    add(spans, attributes) {
      if (attributes?.['error.type'] !== undefined) onFull(spans);
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
