import { ExportResultCode } from '@opentelemetry/core';
import {
  type IMetricReader,
  type MetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import type { AgentNames } from './agent-names.ts';
import { attemptExport } from './export-attempt.ts';
import type { ExportReport } from './export-report.ts';
import type { OtelSettings, OtlpProtocol } from './otel-env.ts';

/**
 * Sends metrics by OTLP beside the scrape. Endpoint, headers, compression and temporality come from the standard variables.
 *
 * The SDK keeps what each collection found for every other reader, until that reader collects too. Where nobody scrapes,
 * that heap would grow with each export. So each export also collects for `scraped`, the reader of the scrape.
 * `agentNames` completes what is sent as it completes the scrape. `report` hears of every export that failed.
 */
export async function createOtlpReader(
  protocol: OtlpProtocol,
  scraped: MetricReader,
  agentNames: AgentNames,
  report: ExportReport,
  { intervalMs, timeoutMs }: OtelSettings['metricExport'],
): Promise<IMetricReader & Pick<MetricReader, 'forceFlush'>> {
  const { OTLPMetricExporter } =
    protocol === 'http/json'
      ? await import('@opentelemetry/exporter-metrics-otlp-http')
      : await import('@opentelemetry/exporter-metrics-otlp-proto');
  const exportTimeoutMillis = Math.min(timeoutMs, intervalMs);
  const exporter = new OTLPMetricExporter();
  const collecting: PushMetricExporter = {
    export(metrics, done) {
      // After the end it fails, and then there is nothing to lose.
      scraped.collect({ timeoutMillis: exportTimeoutMillis }).catch(() => undefined);
      const scopeMetrics = metrics.scopeMetrics.map((scope) => ({
        ...scope,
        metrics: scope.metrics.map(agentNames.complete),
      }));
      const points = scopeMetrics.flatMap((scope) =>
        scope.metrics.map(({ dataPoints }) => dataPoints.length),
      );
      attemptExport(
        points.reduce((sum, its) => sum + its, 0),
        (settle) => exporter.export({ ...metrics, scopeMetrics }, settle),
        (outcome) => {
          report.ended(outcome);
          // It has been told. The reader would tell it once more.
          done({ code: ExportResultCode.SUCCESS });
        },
      );
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
    selectAggregation: (instrument) => exporter.selectAggregation(instrument),
    selectAggregationTemporality: (instrument) => exporter.selectAggregationTemporality(instrument),
  };
  return new PeriodicExportingMetricReader({
    exporter: collecting,
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis,
  });
}
