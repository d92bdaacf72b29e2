import { type Attributes, type Context, type Meter, type MetricOptions, trace } from '@opentelemetry/api';
import { within } from '../within.ts';
import { type AgentSeries, createAgentSeries } from './agent-series.ts';
import { type Family, type InstrumentOf, seedsOf } from './families/family.ts';
import { SERVICE_FAMILIES } from './families.ts';
import { createGuard, type Guard } from './guard.ts';
import { measuredContext } from './measured.ts';

/** Longest time that a scrape waits for agents that the database has to decide about. */
const SETTLE_MS = 300;

type Families = typeof SERVICE_FAMILIES;
type FamilyInstruments = { readonly [Key in keyof Families]: InstrumentOf<Families[Key]> };

/** Every instrument of the service. Only `src/telemetry` records into them; the rest of the service calls events. */
export type Instruments = FamilyInstruments & {
  /** Swallows and counts what the recording of telemetry throws. */
  readonly guard: Guard;
  /** Decides which agents are recorded under their own id. */
  readonly agentSeries: AgentSeries;
};

/**
 * Creates the instruments of the catalogue on `meter`, and records 0 for each closed label set of a counter. The names of
 * the exposition come from the views of `instrumentation/`.
 */
export function createInstruments(meter: Meter): Instruments {
  const guard = createGuard();
  const agentSeries = createAgentSeries(guard);
  const families = Object.entries<Family>(SERVICE_FAMILIES);
  const instruments = Object.fromEntries(
    families.map(([key, family]) => [key, createInstrument(meter, family, guard, agentSeries)] as const),
  ) as FamilyInstruments;
  instruments.telemetryFaults.addCallback(async (result) => {
    // What waits for the database is in the scrape, unless the database is slow.
    await within(SETTLE_MS, agentSeries.settled());
    result.observe(guard.faults());
  });
  return { ...instruments, guard, agentSeries };
}

function createInstrument(meter: Meter, family: Family, guard: Guard, agentSeries: AgentSeries) {
  const { instrument, unit, help } = family;
  const options: MetricOptions = { unit, description: help };
  switch (family.kind) {
    case 'counter': {
      const counter = meter.createCounter(instrument, options);
      for (const labels of seedsOf(family)) guard.run(() => counter.add(0, labels));
      const record = recorder(family, agentSeries, (value, labels, at) => counter.add(value, labels, at));
      return record === null ? counter : { add: record };
    }
    case 'histogram': {
      const histogram = meter.createHistogram(instrument, options);
      const record = recorder(family, agentSeries, (value, labels, at) =>
        histogram.record(value, labels, at),
      );
      return record === null ? histogram : { record };
    }
    case 'observableCounter':
      return meter.createObservableCounter(instrument, options);
    case 'observableGauge':
      return meter.createObservableGauge(instrument, options);
    case 'observableUpDownCounter':
      return meter.createObservableUpDownCounter(instrument, options);
  }
}

type RecordAt = (value: number, labels?: Attributes, at?: Context) => void;

/** Records with the label of the agent, and with the span for an exemplar, where the family has them; null: it has neither. */
function recorder({ perAgent, exemplars }: Family, agentSeries: AgentSeries, record: RecordAt) {
  if (!perAgent && exemplars === undefined) return null;
  return (value: number, labels: Attributes = {}) => {
    const at = exemplars === undefined ? undefined : measured(value);
    if (!perAgent) return record(value, labels, at);
    agentSeries.label(labels, (labelled) => record(value, labelled, at));
  };
}

const measured = (value: number) => measuredContext(value, trace.getActiveSpan()?.spanContext());
