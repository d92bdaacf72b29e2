import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Attributes } from '@opentelemetry/api';
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { AgentNames } from './agent-names.ts';
import type { Exemplars } from './exemplars.ts';
import { createFamilyWriter, type FamilyWriter } from './exposition-family.ts';
import { type Format, labelsOf } from './exposition-text.ts';
import { withoutEmptyOther } from './views.ts';
import { createZeros } from './zeros.ts';

/** Lines written before other work gets a turn: a scrape may not hold the event loop for more than some milliseconds. */
const LINES_PER_TURN = 1000;

export interface Exposition {
  /**
   * Writes collected metrics with `target_info` and the zeros of histograms, and without `otel_scope_*` labels and families
   * that have no series.
   */
  write(collected: ResourceMetrics, format: Format): Promise<string>;
}

/**
 * Makes the writer of one process. It keeps the text of each series, and writes only what has changed: labels are escaped once
 * in the life of a series.
 */
export function createExposition(exemplars?: Exemplars, agentNames?: AgentNames): Exposition {
  const writers = new Map<string, FamilyWriter>();
  const withZeros = createZeros();
  const writerOf = (metric: MetricData, format: Format): FamilyWriter => {
    const key = `${format} ${metric.descriptor.name}`;
    const known = writers.get(key);
    if (known !== undefined) return known;
    const writer = createFamilyWriter(metric, format, exemplars);
    writers.set(key, writer);
    return writer;
  };

  return {
    async write(collected, format) {
      const parts = [targetInfo(collected.resource.attributes, format)];
      let lines = 0;
      for (const found of withZeros(collected.scopeMetrics.flatMap(({ metrics }) => metrics))) {
        const metric = agentNames?.complete(found) ?? found;
        const { dataPoints } = withoutEmptyOther(metric);
        if (dataPoints.length === 0) continue;
        const writer = writerOf(metric, format);
        parts.push(writer.header);
        for (const point of dataPoints) {
          lines += writer.write(point, parts);
          if (lines < LINES_PER_TURN) continue;
          lines = 0;
          await nextTurn();
        }
      }
      if (format === 'openmetrics') parts.push('# EOF\n');
      return parts.join('');
    },
  };
}

function targetInfo(attributes: Attributes, format: Format): string {
  const [name, type] = format === 'openmetrics' ? ['target', 'info'] : ['target_info', 'gauge'];
  return `# HELP ${name} Target metadata\n# TYPE ${name} ${type}\ntarget_info{${labelsOf(attributes)}} 1\n`;
}
