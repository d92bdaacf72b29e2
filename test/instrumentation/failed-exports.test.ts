// The whole service with a collector that does not take what it is sent: what is told of it, and how much it was.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { afterEach, describe, expect, test } from 'vitest';
import type { ExportOutcome } from '../../instrumentation/export-attempt.ts';
import { createOtlpLogStream } from '../../instrumentation/otlp-logs.ts';
import { Authority } from '../support/certificates.ts';
import {
  type LogLine,
  startService,
  type TestService,
  temporaryDirectory,
  waitFor,
} from '../support/service.ts';
import { type Sink, sentLogs, sentSpans, startSink } from './child.ts';

const SIGNALS = ['traces', 'logs', 'metrics'] as const;
type Signal = (typeof SIGNALS)[number];

const QUICK = {
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer hunter2',
  // The end of the service waits for what is under way.
  OTEL_EXPORTER_OTLP_TIMEOUT: '3000',
  OTEL_BSP_SCHEDULE_DELAY: '100',
  OTEL_METRICS_EXPORTER: 'otlp',
  OTEL_METRIC_EXPORT_INTERVAL: '1000',
};

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(env: Record<string, string>): Promise<TestService> {
  const service = await startService({ env: { ...QUICK, ...env } });
  ends.push(() => service.stop());
  return service;
}

async function startCollector(answer?: (response: ServerResponse) => void): Promise<Sink> {
  const sink = await startSink(answer);
  ends.push(() => sink.close().catch(() => undefined));
  return sink;
}

/** An endpoint with all that must not be told. */
const endpoint = (url: string) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: url.replace('//', '//user:hunter2@') });

const toldOf = (service: TestService, signal: Signal): LogLine[] =>
  service.logs.filter((line) => line.msg === 'otel.diagnostic' && line['signal'] === signal);
const lostOf = (service: TestService, signal: Signal): number =>
  toldOf(service, signal).reduce((sum, { lost }) => sum + Number(lost ?? 0), 0);
const droppedOf = async (service: TestService, signal: Signal) =>
  (await service.scrape()).value('grantex_telemetry_dropped_total', { signal });
/** What goes to the collector beside standard output. The last line is written after telemetry has ended. */
const linesOf = (service: TestService) =>
  service.logs.filter(({ msg }) => !['otel.diagnostic', 'service.stopped'].includes(msg)).length;

/** Makes lines and spans, and waits until the exports of every signal have failed. */
async function untilAllFailed(service: TestService): Promise<void> {
  for (let n = 0; n < 5; n++) await service.signup();
  await waitFor(() => SIGNALS.every((signal) => toldOf(service, signal).length > 0) || undefined);
}

function expectTold(service: TestService, url: string, error: unknown): void {
  for (const signal of SIGNALS)
    expect(toldOf(service, signal)[0]).toEqual({
      level: 'warn',
      timestamp: expect.any(String),
      msg: 'otel.diagnostic',
      signal,
      url: `${url}/v1/${signal}`,
      error,
      message: expect.stringContaining(`the export of ${signal} failed: `),
      lost: expect.any(Number),
      suppressed: 0,
    });
  expect(service.stdout.join('\n')).not.toMatch(/hunter2|\\"/);
}

describe('a collector that takes nothing: one line for each signal says which, where, why and how much', () => {
  test.each([
    ['401', 401, {}, '401'],
    // The exporter would try again, but not after the end of the export.
    ['503', 503, { 'retry-after': '60' }, '503'],
  ])('it answers %s', async (_what, status, headers, error) => {
    const collector = await startCollector((response) =>
      response.writeHead(status, headers).end('"hunter2"'),
    );
    const service = await start({ ...endpoint(collector.url), OTEL_EXPORTER_OTLP_TIMEOUT: '20000' });
    await untilAllFailed(service);
    await service.stop();
    expectTold(service, collector.url, error);
    // What it was sent has not arrived, and at the end nothing is left that was not sent.
    expect(lostOf(service, 'traces')).toBe(sentSpans(collector).length);
    expect(lostOf(service, 'logs')).toBe(sentLogs(collector).length);
    expect(lostOf(service, 'logs')).toBe(linesOf(service));
  });

  test.each([
    ['never answers', () => undefined, 'ETIMEDOUT'],
    ['breaks off', (response: ServerResponse) => void response.destroy(), 'ECONNRESET'],
  ])('it %s', async (_what, answer, error) => {
    const collector = await startCollector(answer);
    const service = await start({ ...endpoint(collector.url), OTEL_EXPORTER_OTLP_TIMEOUT: '1000' });
    await untilAllFailed(service);
    await waitFor(async () => (await droppedOf(service, 'traces')) || undefined);
    await service.stop();
    expectTold(service, collector.url, error);
    // Some were sent twice; and on a busy machine the time may be over before a body has come.
    const received = new Set(sentSpans(collector).map(({ spanId }) => spanId));
    expect(lostOf(service, 'traces')).toBeGreaterThanOrEqual(received.size);
    expect(lostOf(service, 'logs')).toBe(linesOf(service));
  });

  test('nobody listens', async () => {
    const collector = await startCollector();
    await collector.close();
    const service = await start(endpoint(collector.url));
    await untilAllFailed(service);
    await service.stop();
    expectTold(service, collector.url, 'ECONNREFUSED');
    expect(lostOf(service, 'logs')).toBe(linesOf(service));
  });

  test('its certificate is of an authority that is not known, or of another name', async () => {
    const authority = await Authority.create();
    const directory = await temporaryDirectory();
    ends.push(directory.remove);
    const file = join(directory.path, 'ca.pem');
    writeFileSync(file, authority.cert);
    const known = { OTEL_EXPORTER_OTLP_CERTIFICATE: file };
    for (const [name, env, error] of [
      [undefined, {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      ['elsewhere.example', known, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ] as const) {
      const server = createServer({ ...(await authority.server(name)) }, (_, response) => response.end());
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      ends.push(() => server.close());
      const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const service = await start({ ...endpoint(url), ...env });
      await untilAllFailed(service);
      await service.stop();
      expectTold(service, url, error);
    }
  });
});

/** The answer of OTLP, with one item rejected. */
function partialSuccess(response: ServerResponse, json: boolean): void {
  const what = { '/v1/traces': 'Spans', '/v1/logs': 'LogRecords', '/v1/metrics': 'DataPoints' };
  const rejected = `rejected${what[response.req.url as keyof typeof what]}`;
  const text = Buffer.from('too old');
  const proto = Buffer.concat([Buffer.from([10, text.length + 4, 8, 1, 18, text.length]), text]);
  response.end(
    json ? JSON.stringify({ partialSuccess: { [rejected]: '1', errorMessage: 'too old' } }) : proto,
  );
}

test.each(['http/json', 'http/protobuf'])(
  'by %s, what a collector rejects of an export is told and counted, at every OTEL_LOG_LEVEL',
  async (protocol) => {
    const collector = await startCollector((response) => partialSuccess(response, protocol === 'http/json'));
    const sendBy = { ...endpoint(collector.url), OTEL_EXPORTER_OTLP_PROTOCOL: protocol };
    const service = await start(sendBy);
    const silent = await start({ ...sendBy, OTEL_LOG_LEVEL: 'none', OTEL_SERVICE_NAME: 'silent' });
    await untilAllFailed(service);
    await silent.signup();
    await waitFor(async () => (await droppedOf(silent, 'traces')) || undefined);
    await waitFor(async () => (await droppedOf(silent, 'logs')) || undefined);
    await silent.stop();
    expect(silent.logs.filter(({ msg }) => msg === 'otel.diagnostic')).toEqual([]);
    await service.stop();
    expectTold(service, collector.url, 'partial_success');
    expect(toldOf(service, 'traces')[0]?.['message']).toContain('rejected some: too old');
    const exports = collector.received.filter(({ body }) => !body.includes('silent'));
    for (const signal of SIGNALS)
      expect(lostOf(service, signal)).toBe(exports.filter(({ path }) => path === `/v1/${signal}`).length);
  },
);

test('failures are told once in ten seconds, also when no export follows, and so is that exports work again', async () => {
  let works = false;
  const collector = await startCollector((response) => void response.writeHead(works ? 200 : 400).end());
  const service = await start({ ...endpoint(collector.url), OTEL_METRICS_EXPORTER: 'none' });
  for (let n = 0; n < 3; n++) {
    const before = (await droppedOf(service, 'traces')) ?? 0;
    await service.signup();
    await waitFor(async () => ((await droppedOf(service, 'traces')) ?? 0) > before || undefined);
  }
  // More than the first line tells, although no further export follows.
  const refused = { traces: sentSpans(collector).length, logs: sentLogs(collector).length };
  for (const signal of ['traces', 'logs'] as const)
    await waitFor(() => lostOf(service, signal) >= refused[signal] || undefined);
  // Later ones need not wait: the end of an outage tells what is left of it.
  const failures = { traces: toldOf(service, 'traces'), logs: toldOf(service, 'logs') };
  works = true;
  await service.signup();
  for (const signal of ['traces', 'logs'] as const)
    await waitFor(() => toldOf(service, signal).find(({ level }) => level === 'info'));
  await service.stop();
  for (const signal of ['traces', 'logs'] as const) {
    const told = failures[signal];
    expect(told.length).toBeGreaterThan(1);
    const times = told.map(({ timestamp }) => Date.parse(String(timestamp)));
    for (const [at, time] of times.slice(1).entries())
      expect(time - (times[at] ?? 0)).toBeGreaterThanOrEqual(9_900);
    expect(told[1]).toMatchObject({ level: 'warn', error: '400', suppressed: expect.any(Number) });
    expect(toldOf(service, signal).filter(({ level }) => level === 'info')).toEqual([
      {
        level: 'info',
        timestamp: expect.any(String),
        msg: 'otel.diagnostic',
        signal,
        url: `${collector.url}/v1/${signal}`,
        seconds: expect.any(Number),
        message: `the export of ${signal} works again`,
      },
    ]);
  }
});

test('what is under way when the service ends is told as lost', async () => {
  const collector = await startCollector(() => undefined);
  const service = await start({
    ...endpoint(collector.url),
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_EXPORTER_OTLP_TIMEOUT: '60000',
    SHUTDOWN_TIMEOUT_MS: '1500',
  });
  await service.signup();
  await waitFor(() => (sentSpans(collector).length > 0 && sentLogs(collector).length > 0 ? true : undefined));
  expect(await service.stop()).toBe(0);
  expect(toldOf(service, 'traces')).toMatchObject([{ error: 'shutdown', lost: sentSpans(collector).length }]);
  expect(toldOf(service, 'logs')).toMatchObject([{ error: 'shutdown', lost: linesOf(service) }]);
});

test('spans and lines for which a queue has no place are told and counted', async () => {
  const collector = await startCollector(() => undefined);
  const service = await start({
    ...endpoint(collector.url),
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_EXPORTER_OTLP_TIMEOUT: '60000',
    OTEL_BSP_MAX_QUEUE_SIZE: '1',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1',
    OTEL_BLRP_MAX_QUEUE_SIZE: '1',
    SHUTDOWN_TIMEOUT_MS: '1500',
  });
  for (let n = 0; n < 3; n++) await service.signup();
  for (const signal of ['traces', 'logs'] as const) {
    await waitFor(() => toldOf(service, signal)[0]);
    expect(toldOf(service, signal)[0]).toMatchObject({
      error: 'queue_full',
      message: `the queue of ${signal} is full`,
    });
  }
  await service.stop();
  expect(lostOf(service, 'logs')).toBe(linesOf(service));
});

test('when the thread that sends log lines ends, all that it had and all that follows is told', () => {
  return new Promise<void>((resolve, reject) => {
    const told: ExportOutcome[] = [];
    process.once('worker', (worker) => void worker.terminate());
    const report = {
      ended: (outcome: ExportOutcome) => {
        told.push(outcome);
        if (told.length === 1) stream.write(line);
        if (told.length < 2) return;
        try {
          expect(told).toMatchObject([
            { error: 'worker_ended', lost: 1 },
            { error: 'worker_ended', lost: 1 },
          ]);
          expect(stream.lost()).toBe(2);
          resolve();
        } catch (error) {
          reject(error);
        }
      },
      queueFull: () => reject(new Error('the queue is not full')),
      close: () => undefined,
    };
    const line = '{"level":"info","timestamp":"2026-01-01T00:00:00.000Z","msg":"a"}\n';
    const batch = { queue: 10, delayMs: 10 };
    const stream = createOtlpLogStream('http/json', batch, report, resourceFromAttributes({}), {});
    stream.write(line);
  });
});
