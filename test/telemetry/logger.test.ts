import { context, trace } from '@opentelemetry/api';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inRequest } from '../../src/request-scope.ts';
import { startHarness } from './harness.ts';

let harness: ReturnType<typeof startHarness>;
beforeEach(() => {
  harness = startHarness();
});
afterEach(() => harness.stop());

test('a line is level word, ISO time with milliseconds, event and fields, and nothing else', () => {
  harness.telemetry.logger.info({ grantId: 'grnt_1' }, 'token.exchanged');
  const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(harness.lines()).toEqual([{ level: 'info', timestamp, grantId: 'grnt_1', msg: 'token.exchanged' }]);
});

test('inside a request a line carries the request and the span, across awaits and apart from other requests', async () => {
  const request = (id: string) =>
    inRequest(id, async () => {
      const span = harness.tracer.startSpan(id);
      await context.with(trace.setSpan(context.active(), span), async () => {
        await new Promise((resolve) => setImmediate(resolve));
        harness.telemetry.logger.warn({}, id);
      });
      return span.spanContext();
    });
  const [one, two] = await Promise.all([request('req_1'), request('req_2')]);
  const own = harness.lines().map(({ timestamp: _, level: __, ...rest }) => rest);
  expect(own).toEqual([
    { msg: 'req_1', requestId: 'req_1', trace_id: one.traceId, span_id: one.spanId, trace_flags: '01' },
    { msg: 'req_2', requestId: 'req_2', trace_id: two.traceId, span_id: two.spanId, trace_flags: '01' },
  ]);
});
