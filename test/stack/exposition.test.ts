import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newParty } from '../support/flow.ts';
import { type TestService, temporaryDirectory, waitFor } from '../support/service.ts';
import { binary } from './binaries/build.ts';
import { type Pipeline, startPipeline } from './pipeline/pipeline.ts';
import { installPython, runProgram } from './python.ts';

/** Names that collide, a leading digit, reserved names, and every character that a format could stumble over. */
const HOSTILE =
  'service_name=foo,a.b=1,a_b=2,1abc=2,__name__=evil,job=j,u=%C3%A9%E2%80%A8,q=%22%5C%0A%00%0D%7D%20%23%20EOF,e=';

const FORMATS = {
  text: 'text/plain; version=0.0.4',
  openmetrics: 'application/openmetrics-text; version=1.0.0',
} as const;
type Format = keyof typeof FORMATS;

let pipeline: Pipeline;
let service: TestService;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;

beforeAll(async () => {
  pipeline = await startPipeline('otel-collector', 'prometheus', 'jaeger');
  service = await pipeline.startService({ OTEL_RESOURCE_ATTRIBUTES: HOSTILE });
  directory = await temporaryDirectory();
});
afterAll(async () => {
  await service?.stop();
  await pipeline?.stop();
  await directory?.remove();
});

async function exposition(format: Format): Promise<string> {
  const response = await fetch(`${service.url}/metrics`, { headers: { accept: FORMATS[format] } });
  const file = join(directory.path, `exposition.${format}`);
  await writeFile(file, Buffer.from(await response.arrayBuffer()));
  return file;
}
const value = async (promql: string) => (await pipeline.prometheus.query(promql))[0]?.value;

test('a counter that a scrape has not seen yet: its first increments are not lost', async () => {
  await waitFor(async () => (await value('up{job="grantex-auth"}')) === 1 || undefined, 30_000);
  const party = await newParty(service);
  for (let n = 0; n < 3; n++) await party.grant();
  const series = `grantex_agent_token_exchange_total{status="success",agent_id="${party.agentId}"}`;
  await waitFor(async () => ((await value(series)) === 3 ? true : undefined), 30_000);
  // Without the beginning of the series, its first value would be 3, and nothing would have increased.
  const [first] = await pipeline.prometheus.query(`min_over_time(${series}[5m])`);
  expect(first?.value).toBe(0);
  expect(await value(`increase(${series}[5m])`)).toBeGreaterThanOrEqual(3);
});

test('the first event of a histogram is one that was counted', async () => {
  const first = 'min_over_time(grantex_token_exchange_duration_seconds_count[5m])';
  await waitFor(async () => (await value(first)) === 0 || undefined, 30_000);
  const failures = `grantex_http_request_duration_seconds_count{route="/v1/token",status_code="503"}`;
  expect(await value(failures)).toBe(0);
  expect(await value(`increase(${failures}[5m])`)).toBe(0);
});

test('the exemplar of the latency of authorize opens its trace in Jaeger', async () => {
  const found = await waitFor(async () => {
    const exemplars = await pipeline.prometheus.exemplars('grantex_authorize_duration_seconds_bucket');
    return exemplars.length > 0 ? exemplars : undefined;
  }, 30_000);
  const { labels, value: seconds, series } = found[0] ?? { labels: {}, value: 0, series: {} };
  expect(seconds).toBeLessThanOrEqual(Number(series['le']?.replace('+Inf', 'Infinity')));
  const trace = await pipeline.jaeger.traceOnce(labels['trace_id'] ?? '');
  expect(trace.map(({ name }) => name)).toContain('POST /v1/authorize');
  expect(trace.map(({ spanId }) => spanId)).toContain(labels['span_id']);
});

test('the failures of a counter lead to their traces, too', async () => {
  const party = await newParty(service);
  await party.exchange('no-such-code').catch(() => undefined);
  const [exemplar] = await waitFor(async () => {
    const exemplars = await pipeline.prometheus.exemplars('grantex_token_exchange_total{status="error"}');
    return exemplars.length > 0 ? exemplars : undefined;
  }, 30_000);
  const trace = await pipeline.jaeger.traceOnce(exemplar?.labels['trace_id'] ?? '');
  expect(trace.map(({ name }) => name)).toContain('POST /v1/token');
});

test('Prometheus takes the resource whatever it holds', async () => {
  const [target] = await pipeline.prometheus.query('target_info{job="grantex-auth"}');
  expect(target?.labels).toMatchObject({
    service_name: expect.stringMatching(/;foo$/),
    a_b: '1;2',
    _1abc: '2',
    _name_: 'evil',
    exported_job: 'j',
    u: 'é\u2028',
    q: '"\\\n\uFFFD\r} # EOF',
  });
});

describe('strict parsers accept the exposition', () => {
  test.each(['text', 'openmetrics'] as const)('prometheus_client: %s', async (format) => {
    const python = await installPython('exposition', new URL('exposition/requirements.txt', import.meta.url));
    const script = fileURLToPath(new URL('exposition/parse.py', import.meta.url));
    const file = await exposition(format);
    const { code, output } = await runProgram(python, [script, format, file]);
    expect(output).toContain('grantex_http_request_duration_seconds histogram ');
    expect(output).toContain('grantex_token_exchange counter ');
    expect(code).toBe(0);
    const exemplars = (await readFile(file, 'utf8')).match(/ # \{trace_id=/g) ?? [];
    expect(exemplars.length > 0).toBe(format === 'openmetrics');
  });

  test('promtool, which parses with expfmt', async () => {
    const [promtool, file] = [await binary('promtool'), await exposition('text')];
    const { code, output } = await runProgram('sh', ['-c', '"$0" check metrics < "$1"', promtool, file]);
    // 3 means valid, with remarks on style.
    expect([0, 3]).toContain(code);
    expect(output).not.toMatch(/error while linting|text format parsing error/);
  });
});
