import { type Attributes, context, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { ServiceError } from '../errors.ts';
import type { Guard } from './guard.ts';

/** Runs `fn` inside a child span that is active meanwhile and ends with it. Passes on what `fn` returns or throws. */
export type InSpan = <T>(name: string, attributes: Attributes, fn: () => Promise<T>) => Promise<T>;

/**
 * Makes `inSpan`. A failure sets `error.type`; only an unexpected one (no `ServiceError`, or one of 500 and above) is an
 * error status. Messages and stacks stay off the span: they may quote values. Telemetry faults are swallowed by `guard`.
 */
export function createInSpan(tracer: Tracer, guard: Guard): InSpan {
  return async (name, attributes, fn) => {
    let span: Span | undefined;
    guard.run(() => {
      span = tracer.startSpan(name, { attributes });
    });
    if (span === undefined) return fn();
    const started: Span = span;
    try {
      return await context.with(trace.setSpan(context.active(), started), fn);
    } catch (error) {
      guard.run(() => markFailed(started, error));
      throw error;
    } finally {
      guard.run(() => started.end());
    }
  };
}

function markFailed(span: Span, error: unknown): void {
  span.setAttribute('error.type', errorType(error));
  if (error instanceof ServiceError && error.status < 500) return;
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** A short, bounded name for an error: a code of the closed union, or the name of its class. */
function errorType(error: unknown): string {
  if (error instanceof ServiceError) return error.code;
  return error instanceof Error ? error.name : '_OTHER';
}
