import type { Attributes } from '@opentelemetry/api';
import {
  AggregationType,
  DataPointType,
  type IAttributesProcessor,
  type MetricData,
  type ViewOptions,
} from '@opentelemetry/sdk-metrics';
import { OTHER_AGENT } from '../src/label-values.ts';
import { type ExposedLabel, exposedLabels, type Family } from '../src/telemetry/families/family.ts';
import { DROPPED_INSTRUMENTS } from '../src/telemetry/families/packages.ts';
import { FAMILIES } from '../src/telemetry/families.ts';
import type { AgentNames } from './agent-names.ts';
import type { Exemplars } from './exemplars.ts';

export interface ViewSettings {
  /** Keeps the exemplars of the families that have some; without it, there are none. */
  readonly exemplars?: Exemplars;
  /** Keeps the names of agents; without it, they are in the series. */
  readonly agentNames?: AgentNames;
  /** false: no family carries `agent_id`. */
  readonly perAgent: boolean;
  /** Most agents that get series, over the life of the process. The others share the series `other`. */
  readonly agentLimit: number;
}

/** Generous for templates × methods × statuses; beyond it the SDK would fold series together without labels. */
const CARDINALITY = 5000;

/** Makes one View for each family of the catalogue, and a second one for the families that also exist per agent. */
export function createViews({ perAgent, agentLimit, exemplars, agentNames }: ViewSettings): ViewOptions[] {
  const agents = firstForLife(agentLimit);
  const views = FAMILIES.flatMap((family): ViewOptions[] => {
    const labels = exposedLabels(family);
    const all = exemplars?.keep(family, selectLabels(labels)) ?? selectLabels(labels);
    const select = agentNames?.keep(family.name, all) ?? all;
    const base = view(family, family.name, family.help, select, CARDINALITY + agentLimit);
    if (!perAgent || !family.perAgent) return [base];
    const { name, help } = family.perAgent;
    // The SDK's limit counts per collection; `agents` bounds the series for good.
    const cardinality = CARDINALITY + (agentLimit + 1) * 4;
    const ofAgent = selectLabelsAndAgent(labels, agents);
    // Of failures only: the buckets of each agent would be many.
    const kept =
      family.kind === 'counter' && exemplars ? exemplars.keep({ ...family, name }, ofAgent) : ofAgent;
    return [base, view(family, name, help, kept, cardinality)];
  });
  const dropped = DROPPED_INSTRUMENTS.map((instrumentName) => ({
    instrumentName,
    aggregation: { type: AggregationType.DROP } as const,
  }));
  return [...views, ...dropped];
}

function view(
  family: Family,
  name: string,
  help: string,
  attributes: IAttributesProcessor,
  aggregationCardinalityLimit: number,
): ViewOptions {
  return {
    instrumentName: family.instrument,
    name,
    description: help,
    attributesProcessors: [attributes],
    aggregationCardinalityLimit,
    ...(family.boundaries && {
      aggregation: {
        type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM,
        options: { boundaries: [...family.boundaries], recordMinMax: false },
      },
    }),
  };
}

/** Lets only the labels of the catalogue pass, under their names, with values of their closed sets. */
function selectLabels(labels: readonly ExposedLabel[]): IAttributesProcessor {
  const readers = labels.map(({ name, from, values, otherwise }) => ({
    name,
    from,
    known: values && new Set(values),
    otherwise,
  }));
  return {
    process(incoming) {
      const selected: Attributes = {};
      for (const { name, from, known, otherwise } of readers) {
        const value = incoming[from];
        if (value === undefined) {
          if (otherwise !== undefined) selected[name] = otherwise;
        } else {
          const text = String(value);
          selected[name] = known === undefined || known.has(text) ? text : (otherwise ?? '_OTHER');
        }
      }
      return selected;
    },
  };
}

function selectLabelsAndAgent(
  labels: readonly ExposedLabel[],
  agents: (id: unknown) => string,
): IAttributesProcessor {
  const base = selectLabels(labels);
  return {
    process(incoming, context) {
      const selected = base.process(incoming, context);
      selected['agent_id'] = agents(incoming['agent_id']);
      return selected;
    },
  };
}

/**
 * Keeps the first `limit` ids for the life of the process and folds the rest into `other`. Which agents they are, the database
 * decides before anything is recorded (`src/telemetry/agent-series.ts`); this is the bound that holds whatever is recorded. The
 * SDK's own limit counts per collection interval, so new agents would add series at every scrape. All families share one set, so
 * an agent is in all of them or in none.
 */
function firstForLife(limit: number): (id: unknown) => string {
  const admitted = new Set<string>();
  return (id) => {
    if (typeof id !== 'string' || id === OTHER_AGENT) return OTHER_AGENT;
    if (admitted.has(id)) return id;
    if (admitted.size >= limit) return OTHER_AGENT;
    admitted.add(id);
    return id;
  };
}

const PER_AGENT_NAMES = new Set(FAMILIES.flatMap((family) => family.perAgent?.name ?? []));

/**
 * Takes the zeros of `agent_id="other"` out of a per-agent family. They come from the zeros that the family without agents
 * begins with, and would show an agent `other` on dashboards before there is one.
 */
export function withoutEmptyOther(metric: MetricData): MetricData {
  if (metric.dataPointType !== DataPointType.SUM || !PER_AGENT_NAMES.has(metric.descriptor.name))
    return metric;
  const dataPoints = metric.dataPoints.filter(
    ({ attributes, value }) => value !== 0 || attributes['agent_id'] !== OTHER_AGENT,
  );
  return { ...metric, dataPoints };
}
