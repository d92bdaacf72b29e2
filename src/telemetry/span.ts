import {
  type Attributes,
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { ServiceError } from '../errors.ts';
import { isRefused } from '../outcome.ts';
import type { Guard } from './guard.ts';

/**
 * Runs `fn` inside a child span that is active meanwhile and ends with it. Passes on what `fn` returns or throws; a refusal
 * that it returns marks the span like one that it throws.
 */
export type InSpan = <T>(name: string, attributes: Attributes, fn: () => Promise<T>) => Promise<T>;

/**
 * The same for work that follows a request, which may have ended long ago and on another replica. The span begins a new trace
 * and links to the span that caused it. It is a CLIENT span, because such work calls another system.
 */
export type InLinkedSpan = <T>(
  name: string,
  options: { readonly attributes: Attributes; readonly cause: SpanContext | undefined },
  fn: () => Promise<T>,
) => Promise<T>;

/**
 * Makes `inSpan`. A refusal or a failure sets `error.type`; only an unexpected one (no `ServiceError`, or one of 500 and above) is an
 * error status. Messages and stacks stay off the span: they may quote values. Telemetry faults are swallowed by `guard`.
 */
export function createInSpan(tracer: Tracer, guard: Guard): InSpan {
  return (name, attributes, fn) =>
    runIn(guard, context.active(), () => tracer.startSpan(name, { attributes }), fn);
}

export function createInLinkedSpan(tracer: Tracer, guard: Guard): InLinkedSpan {
  return (name, { attributes, cause }, fn) => {
    const links = cause ? [{ context: cause }] : [];
    const options = { kind: SpanKind.CLIENT, attributes, links };
    return runIn(guard, ROOT_CONTEXT, () => tracer.startSpan(name, options, ROOT_CONTEXT), fn);
  };
}

async function runIn<T>(guard: Guard, parent: Context, start: () => Span, fn: () => Promise<T>): Promise<T> {
  let span: Span | undefined;
  guard.run(() => {
    span = start();
  });
  if (span === undefined) return fn();
  const started: Span = span;
  try {
    const result = await context.with(trace.setSpan(parent, started), fn);
    if (isRefused(result)) guard.run(() => markFailed(started, result.refusal));
    return result;
  } catch (error) {
    guard.run(() => markFailed(started, error));
    throw error;
  } finally {
    guard.run(() => started.end());
  }
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
