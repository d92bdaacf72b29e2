import { expect, onTestFinished, test } from 'vitest';
import { freePorts, loopback } from '../../deploy/programs/stack/addresses.ts';
import { telemetryEnv } from '../../deploy/programs/stack/definitions.ts';
import { Stack } from '../../deploy/programs/stack/stack.ts';
import { startOwnService } from '../faults/own-service.ts';
import { parseScrape } from '../support/scrape.ts';
import { temporaryDirectory } from '../support/service.ts';
import { Jaeger } from './pipeline/jaeger.ts';

test('what the collector has accepted outlives its own death and an outage of the backend', async () => {
  const ports = await freePorts();
  const directory = await temporaryDirectory();
  const stack = new Stack({ ports, directory: directory.path });
  onTestFinished(async () => {
    await stack.stop();
    await directory.remove();
  });
  await stack.start('otel-collector');
  const service = await startOwnService({
    env: { ...telemetryEnv(ports), OTEL_BSP_SCHEDULE_DELAY: '100' },
  });
  await service.request('POST', '/v1/token', { body: {} });
  // The service has sent its data and ended, and no backend accepts the data.
  const metrics = async () =>
    parseScrape(await (await fetch(`http://${loopback(ports.collectorMetrics)}/metrics`)).text());
  const accepted = async () => (await metrics()).sum('otelcol_receiver_accepted_spans_total');
  await expect.poll(accepted).toBeGreaterThan(0);
  await service.stop();
  stack.program('otel-collector').kill('SIGKILL');
  await stack.program('otel-collector').exited;

  await stack.start('jaeger', 'otel-collector');
  const jaeger = new Jaeger(`http://${loopback(ports.jaeger)}`);
  const names = async () => (await jaeger.traces('grantex-auth')).flat().map(({ name }) => name);
  await expect.poll(names, { interval: 250 }).toContain('POST /v1/token');
});
