import { SpanStatusCode, trace } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { badRequest, ServiceError, unavailable } from '../../src/errors.ts';
import { createInSpan } from '../../src/telemetry/span.ts';
import { startHarness } from './harness.ts';

let harness: ReturnType<typeof startHarness>;
beforeEach(() => {
  harness = startHarness();
});
afterEach(() => harness.stop());

const finished = () => harness.spans.getFinishedSpans();

test('the span is active meanwhile, child of the one around it, and ended with the result passed on', async () => {
  const { inSpan } = harness.telemetry;
  const result = await inSpan('outer', { 'a.b': 1 }, () =>
    inSpan('inner', {}, async () => trace.getActiveSpan()?.spanContext().spanId),
  );
  const [inner, outer] = finished();
  expect(result).toBe(inner?.spanContext().spanId);
  expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
  expect(outer?.attributes).toEqual({ 'a.b': 1 });
});

describe('a failure is passed on, and named on the span', () => {
  const table: [what: string, error: unknown, type: string, status: SpanStatusCode][] = [
    ['an expected refusal', badRequest('no'), 'BAD_REQUEST', SpanStatusCode.UNSET],
    ['an unavailable service', unavailable(), 'SERVICE_UNAVAILABLE', SpanStatusCode.ERROR],
    ['an internal error', new ServiceError('INTERNAL_ERROR', 'x'), 'INTERNAL_ERROR', SpanStatusCode.ERROR],
    ['an unexpected error', new TypeError('secret value'), 'TypeError', SpanStatusCode.ERROR],
    ['something thrown that is no error', 'text', '_OTHER', SpanStatusCode.ERROR],
  ];
  test.each(table)('%s', async (_, error, type, code) => {
    const thrown = harness.telemetry.inSpan('work', {}, async () => {
      throw error;
    });
    await expect(thrown).rejects.toBe(error);
    const [span] = finished();
    expect(span?.attributes).toEqual({ 'error.type': type });
    expect(span?.status).toEqual({ code });
    expect(span?.events).toEqual([]);
  });
});

test('a tracer that throws does not keep the work from being done', async () => {
  const broken = {
    startSpan: () => {
      throw new Error('tracer');
    },
  } as never;
  const { guard } = harness.telemetry.instruments;
  await expect(createInSpan(broken, guard)('work', {}, async () => 42)).resolves.toBe(42);
  expect(guard.faults()).toBe(1);
});
