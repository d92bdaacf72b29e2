import { context, type Meter, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { createAgentNames } from '../../instrumentation/agent-names.ts';
import { createExemplars } from '../../instrumentation/exemplars.ts';
import { createExposition } from '../../instrumentation/exposition.ts';
import type { Format } from '../../instrumentation/exposition-text.ts';
import { createViews, type ViewSettings } from '../../instrumentation/views.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';

/** The telemetry of the service on the real SDK, in this process, without the global providers. */
export function startHarness(
  options: Partial<ViewSettings> & {
    capturePrincipal?: boolean;
    meter?: (real: Meter) => Meter;
    write?: (line: string) => void;
  } = {},
) {
  const exemplars = createExemplars();
  const agentNames = createAgentNames();
  const exposition = createExposition(exemplars, agentNames);
  const reader = new PrometheusExporter({ preventServerStart: true });
  const meterProvider = new MeterProvider({
    resource: resourceFromAttributes({ 'service.name': 'test' }),
    readers: [reader],
    views: createViews({
      perAgent: options.perAgent ?? true,
      agentLimit: options.agentLimit ?? 500,
      exemplars,
      agentNames,
    }),
  });
  const spans = new InMemorySpanExporter();
  const tracerProvider = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter: spans })],
  });
  const tracer = tracerProvider.getTracer('test');
  const lines: string[] = [];
  const logger = createLogger({
    level: 'trace',
    stream: { write: options.write ?? ((line: string) => void lines.push(line)) },
  });
  const meter = meterProvider.getMeter('test');
  const telemetry = createTelemetry({
    meter: options.meter?.(meter) ?? meter,
    tracer,
    logger,
    capturePrincipal: options.capturePrincipal ?? false,
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

  const scrape = async (format: Format = 'text') => {
    const { resourceMetrics } = await reader.collect({ timeoutMillis: 500 });
    return exposition.write(resourceMetrics, format);
  };
  return {
    telemetry,
    tracer,
    reader,
    exposition,
    meter,
    spans,
    /** Parsed log lines, oldest first. */
    lines: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    scrape,
    /** Samples by series, as written. */
    async samples(): Promise<Map<string, number>> {
      return samplesOf(await scrape());
    },
    /** Runs `work` inside a span and returns its attributes afterwards. */
    inServerSpan(work: () => void) {
      const span = tracer.startSpan('server');
      context.with(trace.setSpan(context.active(), span), work);
      span.end();
      return spans.getFinishedSpans().at(-1)?.attributes;
    },
    async stop() {
      context.disable();
      await Promise.all([meterProvider.shutdown(), tracerProvider.shutdown()]);
    },
  };
}

/** Samples of an exposition by series, as written. */
export function samplesOf(exposition: string): Map<string, number> {
  const samples = exposition.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
}

/** What changed between two scrapes. */
export function changes(before: Map<string, number>, after: Map<string, number>): Record<string, number> {
  const changed = [...after].filter(([series, value]) => value !== (before.get(series) ?? 0));
  return Object.fromEntries(changed.map(([series, value]) => [series, value - (before.get(series) ?? 0)]));
}
