import { createRequire } from 'node:module';
import transport from 'pino-opentelemetry-transport';
import { LOST, SETTLED } from './log-ledger.ts';
import type { LogTransportOptions } from './otlp-logs.ts';

/** What a batch processor needs of an exporter, in the versions that the transport brings itself. */
interface Exporter {
  export(records: unknown[], done: (result: { code: number }) => void): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

const EXPORTERS = {
  'http/protobuf': '@opentelemetry/exporter-logs-otlp-proto',
  'http/json': '@opentelemetry/exporter-logs-otlp-http',
};

/**
 * Runs in a worker: pino-opentelemetry-transport, with an exporter that counts sent and lost records. The main thread uses the
 * counts to bound the records in flight and to report the loss.
 */
export default function logTransport({
  protocol,
  ledger,
  batch,
  resourceAttributes,
  ...scope
}: LogTransportOptions) {
  const counts = new BigInt64Array(ledger);
  // From the transport's own dependencies: records of one SDK version go to the exporter of that version.
  const require = createRequire(import.meta.resolve('pino-opentelemetry-transport'));
  const { OTLPLogExporter } = require(EXPORTERS[protocol]) as { OTLPLogExporter: new () => Exporter };
  const inner = new OTLPLogExporter();
  const exporter: Exporter = {
    export(records, done) {
      inner.export(records, (result) => {
        if (result.code !== 0) Atomics.add(counts, LOST, BigInt(records.length));
        Atomics.add(counts, SETTLED, BigInt(records.length));
        Atomics.notify(counts, SETTLED);
        done(result);
      });
    },
    forceFlush: () => inner.forceFlush(),
    shutdown: () => inner.shutdown(),
  };
  return transport({
    ...scope,
    resourceAttributes,
    logRecordProcessorOptions: {
      recordProcessorType: 'batch',
      // The processor's options are spread over the exporter that the transport made.
      processorConfig: { exporter, maxQueueSize: batch.queue, scheduledDelayMillis: batch.delayMs } as object,
    },
  });
}
