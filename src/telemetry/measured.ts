import {
  type Context,
  createContextKey,
  ROOT_CONTEXT,
  type SpanContext,
  TraceFlags,
} from '@opentelemetry/api';

/** A value that is being recorded, with the sampled span that it belongs to. */
export interface Measured {
  readonly value: number;
  readonly span: SpanContext;
}

const MEASURED = createContextKey('measured value');

/**
 * The context to record `value` with, in the instruments of families that have exemplars: the views find value and span
 * there. Nothing is found of a span that is not sampled, because its trace could not be opened.
 */
export function measuredContext(value: number, span: SpanContext | undefined): Context {
  if (span === undefined || (span.traceFlags & TraceFlags.SAMPLED) === 0) return ROOT_CONTEXT;
  return ROOT_CONTEXT.setValue(MEASURED, { value, span } satisfies Measured);
}

/** What `measuredContext` put there. */
export const measuredIn = (context: Context): Measured | undefined =>
  context.getValue(MEASURED) as Measured | undefined;
