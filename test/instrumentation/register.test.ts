import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { type Child, spawnNode, startChild } from './child.ts';

let child: Child | undefined;
afterEach(async () => {
  child?.kill();
  await child?.exited;
  child = undefined;
});

const REQUEST_LINE = {
  level: 'info',
  msg: 'token.exchanged',
  requestId: 'req_1',
  grantId: 'grnt_1',
  agentId: 'ag_1',
};
const post = (url: string) => fetch(`${url}/v1/token`, { method: 'POST', body: '{}' });

test('without an endpoint nothing is sent anywhere, and log lines have their trace all the same', async () => {
  child = await startChild();
  await post(child.url);
  await fetch(`${child.url}/metrics`);
  await child.stop();
  expect(child.messages.filter(({ connected }) => connected)).toEqual([]);
  const [line] = await child.lines();
  expect(line).toMatchObject({
    ...REQUEST_LINE,
    trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    span_id: expect.stringMatching(/^[0-9a-f]{16}$/),
    trace_flags: '00',
  });
});

test('METRICS_ENABLED=false: no scrape handler; logs, traces and requests go on', async () => {
  child = await startChild({ METRICS_ENABLED: 'false' });
  expect(child.started.hasScrape).toBe(false);
  expect((await post(child.url)).status).toBe(201);
  expect((await fetch(`${child.url}/metrics`)).status).toBe(404);
  await child.stop();
  expect(await child.lines()).toEqual([expect.objectContaining(REQUEST_LINE)]);
});

test('OTEL_SDK_DISABLED=true: no signal but the log on standard output, with request ids', async () => {
  const env = { OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' };
  child = await startChild(env);
  expect(child.started.hasScrape).toBe(false);
  expect((await post(child.url)).status).toBe(201);
  await child.stop();
  expect(child.messages.filter(({ connected }) => connected)).toEqual([]);
  expect(await child.lines()).toEqual([{ ...REQUEST_LINE, timestamp: expect.any(String) }]);
});

test('METRICS_PORT: /metrics there, not on the service, and its other paths are no requests of the service', async () => {
  child = await startChild({ METRICS_PORT: '0', METRICS_API_KEY: 'the-key' });
  const own = `http://127.0.0.1:${child.started.metricsPort}`;
  expect((await fetch(`${child.url}/metrics`)).status).toBe(404);
  expect((await fetch(`${own}/scanned`)).status).toBe(404);
  expect((await fetch(`${own}/metrics`)).status).toBe(401);
  const scraped = await fetch(`${own}/metrics`, { headers: { authorization: 'Bearer the-key' } });
  expect(await scraped.text()).not.toMatch(/grantex_http_request_duration_seconds_count\{[^}]*404/);
});

test('target_info names service, version and instance, as the standard variables say', async () => {
  child = await startChild({
    OTEL_SERVICE_NAME: 'mine',
    OTEL_RESOURCE_ATTRIBUTES: 'service.instance.id=i-1',
  });
  const text = await (await fetch(`${child.url}/metrics`)).text();
  expect(text).toContain('target_info{service_instance_id="i-1",service_name="mine",service_version="');
  expect(text).toContain('nodejs_eventloop_utilization_ratio ');
  expect(text).toContain('v8js_memory_heap_used_bytes{v8js_heap_space_name="old_space"} ');
  expect(text).toContain('grantex_telemetry_dropped_total{signal="traces"} 0\n');
  expect(text).toContain('grantex_telemetry_dropped_total{signal="logs"} 0\n');
  expect(text).toContain('grantex_telemetry_dropped_total{signal="stdout"} 0\n');
  for (const name of [
    'cpu_seconds_total',
    'resident_memory_bytes',
    'open_fds',
    'max_fds',
    'start_time_seconds',
  ])
    expect(text).toMatch(new RegExp(`^process_${name} [1-9][0-9.]*$|^process_${name} 0\\.[0-9]+$`, 'm'));
  expect(text).toMatch(/^# TYPE process_cpu_seconds_total counter$/m);
  expect(text).not.toMatch(/otel_scope|http_client|resource_active/);
});

test('a burst of lines right before the exit is complete and in order', async () => {
  child = await startChild();
  await expect(fetch(`${child.url}/exit`)).rejects.toThrow();
  expect(await child.exited).toBe(0);
  const numbers = (await child.lines()).map(({ i }) => i);
  expect(numbers).toEqual(Array.from({ length: 3000 }, (_, i) => i));
});

describe('configuration that cannot be used', () => {
  const refused = async (env: Record<string, string>) => {
    const process = spawnNode(
      env,
      '--import',
      './instrumentation/register.ts',
      '-e',
      'throw new Error("ran")',
    );
    let text = '';
    process.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    const [code] = await once(process, 'close');
    return {
      code,
      lines: text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    };
  };

  test('is one fatal line with every fault by name and never its value, and exit code 78', async () => {
    const { code, lines } = await refused({
      PORT: 'secret-port',
      METRICS_AGENT_LIMIT: '0',
      OTEL_TRACES_SAMPLER: 'sometimes',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318',
      OTEL_BSP_MAX_QUEUE_SIZE: '-1',
      OTEL_METRIC_EXPORT_INTERVAL: 'hourly',
      OTEL_METRIC_EXPORT_TIMEOUT: '0',
      OTEL_LOG_LEVEL: 'loud',
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'grpc',
      OTEL_RESOURCE_ATTRIBUTES: 'k1=v1,spam',
      OTEL_EXPORTER_OTLP_HEADERS: 'Authorization: Bearer secret-token',
      OTEL_PROPAGATORS: 'b3',
      OTEL_BLRP_EXPORT_TIMEOUT: '30s',
    });
    expect(code).toBe(78);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 'fatal', msg: 'config.invalid' });
    const names = lines[0].faults.map((fault: string) => fault.split(' ')[0]).sort();
    expect(new Set(names)).toEqual(
      new Set([
        'PORT',
        'METRICS_AGENT_LIMIT',
        'OTEL_TRACES_SAMPLER',
        'OTEL_EXPORTER_OTLP_ENDPOINT',
        'OTEL_BSP_MAX_QUEUE_SIZE',
        'OTEL_METRIC_EXPORT_INTERVAL',
        'OTEL_METRIC_EXPORT_TIMEOUT',
        'OTEL_LOG_LEVEL',
        'OTEL_EXPORTER_OTLP_METRICS_PROTOCOL',
        'OTEL_RESOURCE_ATTRIBUTES',
        'OTEL_EXPORTER_OTLP_HEADERS',
        'OTEL_PROPAGATORS',
        'OTEL_BLRP_EXPORT_TIMEOUT',
      ]),
    );
    expect(new Set(names).size).toBe(names.length);
    expect(JSON.stringify(lines)).not.toMatch(/secret|sometimes|collector|hourly|loud|grpc|spam|b3|30s/);
  });
});
