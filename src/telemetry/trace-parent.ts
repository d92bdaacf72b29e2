import { isSpanContextValid, type SpanContext, trace } from '@opentelemetry/api';

/** The active span in the words of W3C Trace Context (`traceparent`), to be kept with what happens later; null: none. */
export function activeTraceParent(): string | null {
  const span = trace.getActiveSpan()?.spanContext();
  if (span === undefined || !isSpanContextValid(span)) return null;
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`;
}

/** What `activeTraceParent` wrote, to link to; undefined for anything else. */
export function parseTraceParent(text: string | null): SpanContext | undefined {
  const [, traceId = '', spanId = '', flags = ''] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(text ?? '') ?? [];
  const span = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(span) ? span : undefined;
}
