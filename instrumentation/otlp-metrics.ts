import type { IMetricReader, MetricReader } from '@opentelemetry/sdk-metrics';
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import type { OtelSettings, OtlpProtocol } from './otel-env.ts';

/**
 * Sends metrics by OTLP beside the scrape. Endpoint, headers, compression and temporality come from the standard variables.
 *
 * Each collection leaves what it found with every other reader until that one collects too. Where nobody scrapes, that heap
 * would grow with each export for ever: so `scraped`, the reader of the scrape, is collected along with each.
 */
export async function createOtlpReader(
  protocol: OtlpProtocol,
  scraped: MetricReader,
  { intervalMs, timeoutMs }: OtelSettings['metricExport'],
): Promise<IMetricReader & Pick<MetricReader, 'forceFlush'>> {
  const { OTLPMetricExporter } =
    protocol === 'http/json'
      ? await import('@opentelemetry/exporter-metrics-otlp-http')
      : await import('@opentelemetry/exporter-metrics-otlp-proto');
  const exportTimeoutMillis = Math.min(timeoutMs, intervalMs);
  const exporter = new OTLPMetricExporter();
  const send = exporter.export.bind(exporter);
  exporter.export = (metrics, done) => {
    // It fails after the end, and has nothing to lose then.
    scraped.collect({ timeoutMillis: exportTimeoutMillis }).catch(() => undefined);
    send(metrics, done);
  };
  return new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis,
  });
}
