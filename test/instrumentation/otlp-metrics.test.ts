import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { afterEach, expect, test } from 'vitest';
import { createAgentNames } from '../../instrumentation/agent-names.ts';
import { createExportReport } from '../../instrumentation/export-report.ts';
import { createExposition } from '../../instrumentation/exposition.ts';
import { readOtelEnv } from '../../instrumentation/otel-env.ts';
import { createOtlpReader } from '../../instrumentation/otlp-metrics.ts';
import { createViews } from '../../instrumentation/views.ts';
import { createInstruments } from '../../src/telemetry/instruments.ts';
import { samplesOf } from '../telemetry/harness.ts';
import { type Sink, startSink } from './child.ts';

const MEBIBYTE = 1 << 20;
/** A day of exports, one a minute. */
const DAY = 1440;

let sink: Sink | undefined;
let provider: MeterProvider | undefined;
afterEach(async () => {
  delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  await provider?.shutdown();
  await sink?.close();
});

function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

test('a day of exports without one scrape leaves nothing behind, and the first scrape has all of it', async () => {
  sink = await startSink();
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = sink.url;
  const scraped = new PrometheusExporter({ preventServerStart: true });
  const otlp = await createOtlpReader(
    'http/protobuf',
    scraped,
    createAgentNames(),
    createExportReport('metrics', { write: () => undefined }, 'none'),
    readOtelEnv({}).metricExport,
  );
  const views = createViews({ perAgent: true, agentLimit: 500 });
  provider = new MeterProvider({ readers: [scraped, otlp], views });
  const { tokenExchanges } = createInstruments(provider.getMeter('test'));

  const exportTimes = async (times: number) => {
    for (let n = 0; n < times; n++) {
      for (let agent = 0; agent < 50; agent++)
        tokenExchanges.add(1, { status: 'success', agent_id: `ag_${agent}` });
      await otlp.forceFlush();
    }
    const exported = sink?.received.splice(0).length;
    return { exported, heap: heapAfterCollection() };
  };
  const warm = await exportTimes(50);
  const { exported, heap } = await exportTimes(DAY);
  expect(exported).toBe(DAY);
  expect((heap - warm.heap) / MEBIBYTE).toBeLessThan(4);

  const { resourceMetrics } = await scraped.collect();
  const samples = samplesOf(await createExposition().write(resourceMetrics, 'text'));
  expect(samples.get('grantex_token_exchange_total{status="success"}')).toBe(50 * (50 + DAY));
});
