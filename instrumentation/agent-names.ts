import type { Attributes } from '@opentelemetry/api';
import { DataPointType, type IAttributesProcessor, type MetricData } from '@opentelemetry/sdk-metrics';
import { SERVICE_FAMILIES } from '../src/telemetry/families.ts';

const INFO = SERVICE_FAMILIES.agentInfo.name;
const NAME = 'agent_name';

export interface AgentNames {
  /** Selects as `select` does, but keeps the name of an agent here instead of in its series. */
  keep(family: string, select: IAttributesProcessor): IAttributesProcessor;
  /** Gives each series of `grantex_agent_info` the present name of its agent, and leaves out the agents that are gone. */
  complete(metric: MetricData): MetricData;
}

/**
 * The present names of agents beside the instrument. The SDK keeps a series for the life of the process, also when it is not
 * observed any more. So a renamed agent would have both names, and every renaming would cost memory.
 */
export function createAgentNames(): AgentNames {
  /** Written anew only when a name changes: the exposition remembers the text of a series by these objects. */
  const labels = new Map<string, Attributes>();
  const keyOf = ({ agent_id: agentId }: Attributes) => String(agentId);

  return {
    keep(family, select) {
      if (family !== INFO) return select;
      return {
        process(incoming, context) {
          const selected = select.process(incoming, context);
          const { [NAME]: name, ...others } = selected;
          const key = keyOf(selected);
          if (labels.get(key)?.[NAME] !== name) labels.set(key, selected);
          return others;
        },
      };
    },
    complete(metric) {
      if (metric.descriptor.name !== INFO || metric.dataPointType !== DataPointType.GAUGE) return metric;
      const dataPoints = metric.dataPoints
        .filter(({ value }) => value !== 0)
        .map((point) => ({ ...point, attributes: labels.get(keyOf(point.attributes)) ?? point.attributes }));
      return { ...metric, dataPoints };
    },
  };
}
