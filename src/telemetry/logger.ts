import { context, isSpanContextValid, trace } from '@opentelemetry/api';
import { type DestinationStream, type MultiStreamRes, pino } from 'pino';
import type { LogLevel } from '../config.ts';
import { requestScope } from '../request-scope.ts';

/** pino's logger; `msg` is the event name, fields are an object. */
export type Logger = pino.Logger;

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly stream: DestinationStream | MultiStreamRes;
}

/**
 * Makes the service's logger: one JSON object a line, `level` a word, `timestamp` ISO 8601 with milliseconds, and inside a
 * request `requestId`, `trace_id`, `span_id` and `trace_flags` (telemetry contract, "Logs"). No pid, no host name.
 *
 * The beginning of a line, `{"level":"…","timestamp":"…"`, is relied on by instrumentation/otlp-logs.ts.
 */
export function createLogger({ level, stream }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      mixin: contextFields,
    },
    stream,
  );
}

/** Always a fresh object: pino merges the record's fields into it. */
function contextFields(): Record<string, string> {
  const fields: Record<string, string> = {};
  const active = context.active();
  const requestId = requestScope(active)?.id;
  if (requestId !== undefined) fields['requestId'] = requestId;
  const span = trace.getSpanContext(active);
  if (span !== undefined && isSpanContextValid(span)) {
    fields['trace_id'] = span.traceId;
    fields['span_id'] = span.spanId;
    fields['trace_flags'] = span.traceFlags.toString(16).padStart(2, '0');
  }
  return fields;
}
