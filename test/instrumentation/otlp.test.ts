import { afterEach, describe, expect, test } from 'vitest';
import { samplesOf } from '../telemetry/harness.ts';
import { type Child, type Sink, sentLogs, sentSpans, startChild, startSink } from './child.ts';

let child: Child | undefined;
let sink: Sink | undefined;
afterEach(async () => {
  child?.kill();
  await child?.exited;
  await sink?.close();
  child = undefined;
  sink = undefined;
});

const post = (url: string) => fetch(`${url}/v1/token`, { method: 'POST', body: '{}' });

describe('with a collector', () => {
  test('traces and logs arrive, with headers, resource, severity, time and trace of the record', async () => {
    sink = await startSink();
    child = await startChild({
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-team=auth',
      OTEL_SERVICE_NAME: 'mine',
    });
    await post(child.url);
    await child.stop();
    const [line] = await child.lines();
    const [record, ...more] = sentLogs(sink);
    const span = sentSpans(sink).find(({ name }) => name === 'grantex.token.exchange');
    expect(more).toEqual([]);
    expect(record).toMatchObject({
      body: 'token.exchanged',
      severityNumber: 9,
      severityText: 'info',
      timeUnixNano: `${Date.parse(String(line?.['timestamp']))}000000`,
      traceId: line?.['trace_id'],
      spanId: line?.['span_id'],
      flags: 1,
      resource: {
        'service.name': 'mine',
        'service.version': expect.any(String),
        'service.instance.id': expect.any(String),
      },
    });
    expect(record?.['attributes']).toEqual({ requestId: 'req_1', grantId: 'grnt_1', agentId: 'ag_1' });
    expect(span).toMatchObject({ traceId: line?.['trace_id'], spanId: line?.['span_id'] });
    expect(sink.received.map(({ headers }) => headers['x-team'])).toEqual(sink.received.map(() => 'auth'));
    expect(sink.received.every(({ headers }) => !('traceparent' in headers))).toBe(true);
  });

  test('each level has its severity, and a line outside every request no trace', async () => {
    sink = await startSink();
    child = await startChild({
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      LOG_LEVEL: 'trace',
    });
    await fetch(`${child.url}/levels`);
    await child.stop();
    const records = sentLogs(sink);
    expect(
      records.map(({ body, severityText, severityNumber }) => [body, severityText, severityNumber]),
    ).toEqual([
      ['trace', 'trace', 1],
      ['debug', 'debug', 5],
      ['info', 'info', 9],
      ['warn', 'warn', 13],
      ['error', 'error', 17],
      ['fatal', 'fatal', 21],
    ]);
    for (const { traceId, spanId } of records) expect([traceId, spanId]).toEqual([undefined, undefined]);
    for (const line of await child.lines()) expect(line).not.toHaveProperty('trace_id');
  });

  const CALLER = '0af7651916cd43dd8448eb211c80319c';
  const samplings: [what: string, env: Record<string, string>, flags: string, spans: number, line: RegExp][] =
    [
      [
        'traceidratio of 0',
        { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' },
        '01',
        0,
        /^00 (?!0af7)/,
      ],
      [
        'traceidratio of 1',
        { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '1' },
        '00',
        2,
        /^01 (?!0af7)/,
      ],
      [
        'a trusted caller that samples',
        { OTEL_TRACES_SAMPLER: 'parentbased_always_off', TRUST_TRACE_CONTEXT: 'true' },
        '01',
        2,
        /^01 0af7/,
      ],
      ['a trusted caller that does not', { TRUST_TRACE_CONTEXT: 'true' }, '00', 0, /^00 0af7/],
    ];
  test.each(samplings)(
    'sampling, %s: spans, and the line says whether its trace is recorded',
    async (_, env, flags, spans, said) => {
      sink = await startSink();
      child = await startChild({
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        ...env,
      });
      const headers = { traceparent: `00-${CALLER}-b7ad6b7169203331-${flags}` };
      await fetch(`${child.url}/v1/token`, { method: 'POST', body: '{}', headers });
      await child.stop();
      const [line] = await child.lines();
      expect(sentSpans(sink)).toHaveLength(spans);
      expect(`${line?.['trace_flags']} ${line?.['trace_id']}`).toMatch(said);
      expect(sentLogs(sink)).toMatchObject([
        { traceId: line?.['trace_id'], flags: Number(line?.['trace_flags']) },
      ]);
      for (const { traceId } of sentSpans(sink)) expect(traceId).toBe(line?.['trace_id']);
    },
  );

  test('protobuf is the default, and each signal can have its own address, or none', async () => {
    sink = await startSink();
    child = await startChild({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${sink.url}/own/traces` });
    await post(child.url);
    await child.stop();
    expect(sink.received.map(({ path, headers }) => [path, headers['content-type']])).toEqual([
      ['/own/traces', 'application/x-protobuf'],
    ]);
    expect(sink.received[0]?.body.includes('grantex.token.exchange')).toBe(true);
  });

  test('metrics go there too only when OTEL_METRICS_EXPORTER=otlp asks for it; the scrape stays', async () => {
    sink = await startSink();
    child = await startChild({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_METRICS_EXPORTER: 'otlp' });
    await post(child.url);
    expect(await (await fetch(`${child.url}/metrics`)).text()).toContain('grantex_token_exchange_total');
    await child.stop();
    const metrics = sink.received.filter(({ path }) => path === '/v1/metrics');
    expect(metrics.some(({ body }) => body.includes('grantex_token_exchange_total'))).toBe(true);
  });
});

describe('the pipeline never hurts the service', () => {
  /** Whatever waits for a collector waits for ten seconds, the time-out of an export. */
  const HELD_UP_MS = 8000;
  const answers: [string, Parameters<typeof startSink>[0]][] = [
    ['hangs', () => undefined],
    ['refuses', (response) => response.writeHead(400).end()],
    ['breaks off', (response) => response.destroy()],
  ];
  test.each(answers)(
    'a collector that %s: requests are answered, lines are complete, the end is in time',
    async (_, answer) => {
      sink = await startSink(answer);
      child = await startChild({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, SHUTDOWN_TIMEOUT_MS: '1000' });
      const statuses = await Promise.all(
        Array.from({ length: 50 }, async () => (await post(child?.url ?? '')).status),
      );
      expect(new Set(statuses)).toEqual(new Set([201]));
      const { stoppedAfterMs } = await child.stop();
      expect(stoppedAfterMs).toBeLessThan(HELD_UP_MS);
      expect((await child.lines()).filter(({ msg }) => msg === 'token.exchanged')).toHaveLength(50);
    },
  );

  test('nobody listens: the same, and an exit without preparation is not held up', async () => {
    const gone = await startSink();
    await gone.close();
    child = await startChild({ OTEL_EXPORTER_OTLP_ENDPOINT: gone.url });
    expect((await post(child.url)).status).toBe(201);
    const begun = performance.now();
    await expect(fetch(`${child.url}/exit`)).rejects.toThrow();
    expect(await child.exited).toBe(0);
    expect(performance.now() - begun).toBeLessThan(HELD_UP_MS);
    expect((await child.lines()).filter(({ msg }) => msg === 'burst')).toHaveLength(3000);
  });

  test('what is lost is counted: queues that overflow, exports that fail', async () => {
    sink = await startSink((response) => response.writeHead(400).end());
    child = await startChild({
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_BSP_MAX_QUEUE_SIZE: '10',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_BLRP_MAX_QUEUE_SIZE: '5',
    });
    const { url } = child;
    await Promise.all(Array.from({ length: 50 }, () => post(url)));
    const lost = async () => {
      const samples = samplesOf(await (await fetch(`${url}/metrics`)).text());
      return ['traces', 'logs'].map((signal) =>
        samples.get(`grantex_telemetry_dropped_total{signal="${signal}"}`),
      );
    };
    // Two spans and one line a request, and every one of them is lost in one way or the other.
    await expect.poll(lost).toEqual([100, 50]);
  });

  test('an exit without preparation still sends the last lines to a collector that is there', async () => {
    sink = await startSink();
    child = await startChild({
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BLRP_MAX_QUEUE_SIZE: '5000',
      // Two batches: a busy machine can send no more in the time that such an exit has.
      BURST: '1000',
    });
    await expect(fetch(`${child.url}/exit`)).rejects.toThrow();
    await child.exited;
    expect(sentLogs(sink).filter(({ body }) => body === 'burst')).toHaveLength(1000);
  });
});
