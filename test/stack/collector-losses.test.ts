import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { FOREIGN } from '../../deploy/programs/rules/known-series.ts';
import { freePorts, loopback } from '../../deploy/programs/stack/addresses.ts';
import { Stack } from '../../deploy/programs/stack/stack.ts';
import { parseScrape } from '../support/scrape.ts';
import { temporaryDirectory } from '../support/service.ts';

const NOW = `${Date.now()}000000`;
const TRACES = {
  resourceSpans: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'other' } }] },
      scopeSpans: [
        {
          spans: [
            {
              traceId: '0af7651916cd43dd8448eb211c80319c',
              spanId: 'b7ad6b7169203331',
              name: 'work',
              kind: 1,
              startTimeUnixNano: NOW,
              endTimeUnixNano: NOW,
            },
          ],
        },
      ],
    },
  ],
};
const LOGS = {
  resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano: NOW, body: { stringValue: 'work' } }] }] }],
};

/** Starts only a collector, with the committed configuration and this environment. */
async function startCollector(env: Record<string, string>) {
  const ports = await freePorts();
  const directory = await temporaryDirectory();
  const stack = new Stack({
    ports,
    directory: directory.path,
    shortIntervals: true,
    env: { 'otel-collector': env },
  });
  onTestFinished(async () => {
    await stack.stop();
    await directory.remove();
  });
  await stack.start('otel-collector');
  return {
    send: async (signal: 'traces' | 'logs', body: unknown) =>
      (
        await fetch(`http://${loopback(ports.collectorHttp)}/v1/${signal}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
      ).status,
    metrics: async () =>
      parseScrape(await (await fetch(`http://${loopback(ports.collectorMetrics)}/metrics`)).text()),
  };
}

/** Starts a backend that always answers with this status. After a 400 the collector does not try again. */
async function startBackend(status: 200 | 400): Promise<string> {
  const server = createServer((req, res) => req.resume().on('end', () => res.writeHead(status).end()));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => new Promise<void>((done) => void server.close(() => done()).closeAllConnections()));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('what a backend refuses is lost, and counted by the names that the alerts ask for', async () => {
  const backend = await startBackend(400);
  const collector = await startCollector({
    OTELCOL_TRACES_ENDPOINT: backend,
    OTELCOL_PROMETHEUS_ENDPOINT: backend,
    OTELCOL_LOGS_EXPORTER: 'otlp_http/logs',
    OTELCOL_LOGS_ENDPOINT: backend,
  });
  expect([await collector.send('traces', TRACES), await collector.send('logs', LOGS)]).toEqual([200, 200]);
  const failed = async () => {
    const metrics = await collector.metrics();
    return ['spans', 'log_records'].map((kind) => metrics.sum(`otelcol_exporter_send_failed_${kind}_total`));
  };
  await expect.poll(failed).toEqual([1, 1]);
  // The span metrics arrive in their own interval.
  await expect
    .poll(async () => (await collector.metrics()).sum('otelcol_exporter_send_failed_metric_points_total'))
    .toBeGreaterThan(0);
});

test('what the collector has no memory for is refused, and counted by the names that the alerts ask for', async () => {
  const collector = await startCollector({ OTELCOL_MEMORY_LIMIT_MIB: '2', OTELCOL_MEMORY_SPIKE_MIB: '1' });
  await expect.poll(() => collector.send('traces', TRACES)).toBe(503);
  await expect.poll(() => collector.send('logs', LOGS)).toBe(503);
  const metrics = await collector.metrics();
  for (const kind of ['spans', 'log_records'])
    expect(metrics.sum(`otelcol_receiver_refused_${kind}_total`)).toBeGreaterThan(0);
});

test('every other series of the collector that rules and runbooks ask for is there', async () => {
  const collector = await startCollector({ OTELCOL_TRACES_ENDPOINT: await startBackend(200) });
  await collector.send('traces', TRACES);
  const missing = async () => {
    const { families } = await collector.metrics();
    return Object.keys(FOREIGN)
      .filter((name) => name.startsWith('otelcol_') && !/_(refused|send_failed|enqueue_failed)_/.test(name))
      .filter((name) => !families.includes(name));
  };
  await expect.poll(missing).toEqual([]);
});
