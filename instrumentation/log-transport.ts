import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';
import transport from 'pino-opentelemetry-transport';
import { attemptExport, type ExportOutcome, notePartialSuccess } from './export-attempt.ts';
import { DIAGNOSTIC, EXPORTED, LOST, SETTLED } from './log-ledger.ts';
import type { LogTransportOptions } from './otlp-logs.ts';

/** What a batch processor needs of an exporter, in the versions that the transport brings itself. */
interface Exporter {
  export(records: unknown[], done: (result: { code: number }) => void): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

/** The part of OpenTelemetry's API that its packages tell their troubles. */
interface Diagnostics {
  setLogger(
    logger: Record<'error' | 'warn' | 'info' | 'debug' | 'verbose', (...said: unknown[]) => void>,
  ): void;
}

const EXPORTERS = {
  'http/protobuf': '@opentelemetry/exporter-logs-otlp-proto',
  'http/json': '@opentelemetry/exporter-logs-otlp-http',
};

/**
 * Runs in a worker: pino-opentelemetry-transport, with an exporter that counts sent and lost records and tells the main thread
 * how each export went. The main thread uses the counts to bound the records in flight and to report the loss.
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
  const { diag } = require('@opentelemetry/api') as { diag: Diagnostics };
  const say = (...said: unknown[]) => {
    if (!notePartialSuccess(said)) tellMain(DIAGNOSTIC, said.map(String).join(' '));
  };
  const nothing = () => undefined;
  diag.setLogger({ error: say, warn: say, info: nothing, debug: nothing, verbose: nothing });
  const exporter: Exporter = {
    export(records, done) {
      attemptExport(
        records.length,
        (settle) => inner.export(records, settle),
        (outcome) => {
          // The main thread may wait for the counts, and then look no more.
          tellMain(EXPORTED, outcome);
          Atomics.add(counts, LOST, BigInt(outcome.lost));
          Atomics.add(counts, SETTLED, BigInt(records.length));
          Atomics.notify(counts, SETTLED);
          // It has been told. The processor would tell it once more.
          done({ code: 0 });
        },
      );
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

/** The stream of the main thread emits it as an event. */
const tellMain = (name: string, said: string | ExportOutcome) =>
  parentPort?.postMessage({ code: 'EVENT', name, args: [said] });
