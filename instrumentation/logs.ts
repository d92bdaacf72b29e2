import type { Resource } from '@opentelemetry/resources';
import { type DestinationStream, type MultiStreamRes, pino } from 'pino';
import { createExportReport } from './export-report.ts';
import type { OtelSettings } from './otel-env.ts';
import { createOtlpLogStream } from './otlp-logs.ts';
import { createStandardOutput, type LineStream } from './stdout.ts';

export interface LogStreams {
  /** For the logger: standard output, and the collector when there is an endpoint. */
  readonly stream: DestinationStream | MultiStreamRes;
  /** Standard output alone. */
  readonly record: LineStream;
  /** Lines that did not reach the collector. Those that standard output did not take are counted by `record`. */
  lost(): number;
  /** Writes out and sends what is held, for at most `timeoutMs`. Lines that come later still reach standard output. */
  close(timeoutMs: number): Promise<void>;
}

/** Puts the log's destinations together. The record on standard output depends on nothing else. */
export function createLogStreams(
  settings: OtelSettings,
  resource: Resource,
  env: NodeJS.ProcessEnv,
): LogStreams {
  const record = createStandardOutput();
  if (settings.logs === null)
    return { stream: record, record, lost: () => 0, close: async () => record.flushSync() };

  const report = createExportReport('logs', record, settings.logLevel);
  const otlp = createOtlpLogStream(settings.logs, settings.logBatch, report, resource, env);
  return {
    stream: pino.multistream([
      { level: 'trace', stream: record },
      { level: 'trace', stream: otlp },
    ]),
    record,
    lost: otlp.lost,
    async close(timeoutMs) {
      record.flushSync();
      await otlp.close(timeoutMs);
      record.flushSync();
    },
  };
}
